"""The programs that take part, and their versions."""

from harness.programs import Programs
from harness.system import commit, locked, said

PROGRAMS = Programs("make bench-sso", **{"redis-server": "redis-server"}, openssl="openssl")


def versions():
    """The version of everything that takes part."""
    return {
        "influx-gateway": commit(),
        "`jsonwebtoken`": locked("jsonwebtoken"),
        "`ring`": locked("ring"),
        "rustc": said(["rustc", "--version"], r"rustc (\S+)"),
        "nginx": said([PROGRAMS.find("nginx"), "-v"], r"nginx/(\S+)"),
    }
