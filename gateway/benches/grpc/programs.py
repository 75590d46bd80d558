"""The programs that take part: found, built, and asked for their versions."""

import shutil

from harness import system
from harness.system import REPOSITORY, commit, locked, said

# Each program, and the Debian package that has it.
PACKAGES = {"nginx": "nginx", "taskset": "util-linux", "setpriv": "util-linux", "cargo": "(rustup.rs)"}

# It has Apache Arrow: server and client.
PYTHON = REPOSITORY / ".venv/bin/python"


def find(name):
    """Where the program `name` is."""
    return system.find(name, f"{PACKAGES[name]} (or: make bench-grpc)")


def build(folder, built):
    """Builds the gateway into `folder`, unless it is `built`: a copy, so that whoever builds meanwhile changes nothing."""
    for name in PACKAGES:
        find(name)
    gateway = folder / "influx-gateway"
    shutil.copy(built or system.release("build", "--bin", "influx-gateway"), gateway)
    return gateway


def versions():
    """The version of everything that takes part."""
    return {
        "influx-gateway": commit(),
        "`h2`": locked("h2"),
        "rustc": said(["rustc", "--version"], r"rustc (\S+)"),
        "nginx": said([find("nginx"), "-v"], r"nginx/(\S+)"),
        "pyarrow": said([str(PYTHON), "-c", "import pyarrow; print(pyarrow.__version__)"], r"(\S+)"),
    }
