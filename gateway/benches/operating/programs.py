"""The programs that take part: found, built, and asked for their versions."""

from pathlib import Path

from harness import client, system
from harness.system import commit, said

# Each program, and the Debian package that has it.
PACKAGES = {"nginx": "nginx", "valgrind": "valgrind", "taskset": "util-linux", "setpriv": "util-linux",
            "cc": "gcc libc6-dev", "cargo": "(rustup.rs)"}


def find(name):
    """Where the program `name` is."""
    return system.find(name, f"{PACKAGES[name]} (or: make bench-operating)")


def build(folder):
    """Builds what is this repository's: name to path. The gateway keeps its symbols, for functions to be
    told apart."""
    for name in PACKAGES:
        find(name)
    gateway = system.release("rustc", "--bin", "influx-gateway", "--", "-C", "strip=none")
    return {"influx-gateway": Path(gateway), "client": client.build(find("cc"), folder)}


def versions():
    """The version of everything that takes part."""
    return {
        "influx-gateway": commit(),
        "rustc": said(["rustc", "--version"], r"rustc (\S+)"),
        "valgrind": said([find("valgrind"), "--version"], r"valgrind-(\S+)"),
        "nginx": said([find("nginx"), "-v"], r"nginx/(\S+)"),
    }
