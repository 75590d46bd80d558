"""The programs that take part, and their versions."""

from harness.programs import Programs
from harness.system import REPOSITORY, commit, locked, said

PROGRAMS = Programs("make bench-grpc")

# It has Apache Arrow: server and client.
PYTHON = REPOSITORY / ".venv/bin/python"


def versions():
    """The version of everything that takes part."""
    return {
        "influx-gateway": commit(),
        "`h2`": locked("h2"),
        "rustc": said(["rustc", "--version"], r"rustc (\S+)"),
        "nginx": said([PROGRAMS.find("nginx"), "-v"], r"nginx/(\S+)"),
        "pyarrow": said([str(PYTHON), "-c", "import pyarrow; print(pyarrow.__version__)"], r"(\S+)"),
    }
