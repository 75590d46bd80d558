"""The programs that take part, and their versions."""

from harness.programs import Programs
from harness.system import commit, locked, said

PROGRAMS = Programs("make bench-store", **{"redis-server": "redis-server"})


def versions():
    """The version of everything that takes part."""
    return {
        "influx-gateway": commit(),
        "`redis` (crate)": locked("redis"),
        "rustc": said(["rustc", "--version"], r"rustc (\S+)"),
        "Redis": said([PROGRAMS.find("redis-server"), "--version"], r"v=(\S+)"),
        "nginx": said([PROGRAMS.find("nginx"), "-v"], r"nginx/(\S+)"),
    }
