"""The programs that take part, and their versions."""

from pathlib import Path

from harness import client, system
from harness.programs import Programs
from harness.system import commit, said

PROGRAMS = Programs("make bench-operating", valgrind="valgrind")


def build(folder):
    """Builds what is this repository's: name to path. The gateway keeps its symbols, for functions to be
    told apart."""
    PROGRAMS.check()
    gateway = system.release("rustc", "--bin", "influx-gateway", "--", "-C", "strip=none")
    return {"influx-gateway": Path(gateway), "client": client.build(PROGRAMS.find("cc"), folder)}


def versions():
    """The version of everything that takes part."""
    return {
        "influx-gateway": commit(),
        "rustc": said(["rustc", "--version"], r"rustc (\S+)"),
        "valgrind": said([PROGRAMS.find("valgrind"), "--version"], r"valgrind-(\S+)"),
        "nginx": said([PROGRAMS.find("nginx"), "-v"], r"nginx/(\S+)"),
    }
