"""The programs that take part: found, built, and asked for their versions."""

import shutil

from harness import client, system
from harness.system import commit, locked, said

# Each program, and the Debian package that has it.
PACKAGES = {"nginx": "nginx", "redis-server": "redis-server", "openssl": "openssl",
            "taskset": "util-linux", "setpriv": "util-linux", "cc": "gcc libc6-dev", "cargo": "(rustup.rs)"}


def find(name):
    """Where the program `name` is."""
    return system.find(name, f"{PACKAGES[name]} (or: make bench-sso)")


def build(folder, given=None):
    """Builds what is this repository's into `folder`, but for a gateway that is `given`: name to path.

    Copies, so that whoever builds meanwhile changes nothing.
    """
    for name in PACKAGES:
        find(name)
    gateway = folder / "influx-gateway"
    shutil.copy(given or system.release("build", "--bin", "influx-gateway"), gateway)
    return {"influx-gateway": gateway, "client": client.build(find("cc"), folder)}


def versions():
    """The version of everything that takes part."""
    return {
        "influx-gateway": commit(),
        "`jsonwebtoken`": locked("jsonwebtoken"),
        "`ring`": locked("ring"),
        "rustc": said(["rustc", "--version"], r"rustc (\S+)"),
        "nginx": said([find("nginx"), "-v"], r"nginx/(\S+)"),
    }
