"""The programs that take part: found, built, and asked for their versions."""

import os
import shutil

from harness import client, system
from harness.system import commit, locked, said

# Each program, and the Debian package that has it.
PACKAGES = {"nginx": "nginx", "taskset": "util-linux", "setpriv": "util-linux", "setsid": "util-linux",
            "cc": "gcc libc6-dev", "cargo": "(rustup.rs)"}


def find(name):
    """Where the program `name` is."""
    return system.find(name, f"{PACKAGES[name]} (or: make bench-signin)")


def build(folder):
    """Builds what is this repository's into `folder`: name to path.

    Copies, so that whoever builds meanwhile changes nothing.
    """
    for name in PACKAGES:
        find(name)
    built = {}
    for kind, name in (("--bin", "influx-gateway"), ("--example", "argon2_limit")):
        built[name] = folder / name
        shutil.copy(system.release("build", kind, name), built[name])
    built["client"] = client.build(find("cc"), folder)
    return built


def versions():
    """The version of everything that takes part."""
    return {
        "influx-gateway": commit(),
        "Pingora": locked("pingora-proxy"),
        "`argon2`": locked("argon2"),
        "rustc": said(["rustc", "--version"], r"rustc (\S+)"),
        "nginx": said([find("nginx"), "-v"], r"nginx/(\S+)"),
    }


def machine():
    """What it was measured on, and how busy that was before."""
    return {**system.machine(), "busy": os.getloadavg()[0]}
