"""The programs that take part: found, built, and asked for their versions."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from process import Failure, all_cores

REPOSITORY = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent

# Each program, and the Debian package that has it.
PACKAGES = {"nginx": "nginx", "taskset": "util-linux", "setpriv": "util-linux", "setsid": "util-linux",
            "cc": "gcc libc6-dev", "cargo": "(rustup.rs)"}


def find(name):
    """Where the program `name` is."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if not found:
        raise Failure(f"{name} is missing; Debian's package: {PACKAGES[name]} "
                      "(or: make bench-signin)")
    return found


def build(folder):
    """Builds what is this repository's into `folder`: name to path.

    Copies, so that whoever builds meanwhile changes nothing.
    """
    for name in PACKAGES:
        find(name)
    built = {}
    for kind, name in (("--bin", "influx-gateway"), ("--example", "argon2_limit")):
        built[name] = folder / name
        shutil.copy(_cargo(kind, name), built[name])
    built["client"] = folder / "client"
    run([find("cc"), "-O2", "-Wall", "-Wextra", "-Werror", "-o", built["client"], HERE / "client.c"])
    return built


def _cargo(*what):
    """Has cargo build, whose progress is for whoever waits; the path of what it made."""
    line = [find("cargo"), "build", "--release", "--locked", "--message-format=json",
            "-p", "influx-gateway", *what]
    output = run(line, cwd=REPOSITORY)
    messages = [json.loads(text) for text in output.splitlines() if text.startswith("{")]
    return next(message["executable"] for message in reversed(messages)
                if message.get("executable"))


def run(command, typed="", cwd=None):
    """Runs `command` to its end, with `typed` as its input; what it printed."""
    command = list(map(str, command))
    done = subprocess.run(command, cwd=cwd, text=True, input=typed, stdout=subprocess.PIPE)
    if done.returncode:
        raise Failure(f"{' '.join(command)} failed")
    return done.stdout


def versions():
    """The version of everything that takes part."""
    lock = (REPOSITORY / "Cargo.lock").read_text()
    commit = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    return {
        "influx-gateway": _said(commit, r"(\S+)"),
        "Pingora": _locked(lock, "pingora-proxy"),
        "`argon2`": _locked(lock, "argon2"),
        "rustc": _said(["rustc", "--version"], r"rustc (\S+)"),
        "nginx": _said([find("nginx"), "-v"], r"nginx/(\S+)"),
    }


def _locked(lock, crate):
    return re.search(rf'name = "{crate}"\nversion = "(.*)"', lock).group(1)


def _said(command, pattern):
    """What of a program's output, wherever it writes it, matches `pattern`."""
    done = subprocess.run(command, text=True, capture_output=True)
    match = re.search(pattern, done.stdout + done.stderr)
    return match.group(1) if match else "unknown"


def machine():
    """What it was measured on."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    return {
        "processor": processor.group(1) if processor else os.uname().machine,
        "cores": len(all_cores()),
        "memory_gib": round(int(memory.group(1)) / 1024 ** 2),
        "kernel": os.uname().release,
        "system": system.group(1) if system else "Linux",
        "busy": os.getloadavg()[0],
    }
