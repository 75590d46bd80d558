"""The programs that take part, and their versions."""

from harness.programs import Programs
from harness.system import commit, locked, said

PROGRAMS = Programs("make bench-signin", setsid="util-linux")


def versions():
    """The version of everything that takes part."""
    return {
        "influx-gateway": commit(),
        "Pingora": locked("pingora-proxy"),
        "`argon2`": locked("argon2"),
        "rustc": said(["rustc", "--version"], r"rustc (\S+)"),
        "nginx": said([PROGRAMS.find("nginx"), "-v"], r"nginx/(\S+)"),
    }
