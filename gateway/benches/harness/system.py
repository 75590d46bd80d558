"""The machine, the programs on it, and what cargo builds."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from .process import Failure, all_cores

REPOSITORY = Path(__file__).resolve().parents[3]

# Which code runs how often, as `make profile` has found out.
PROFILE = REPOSITORY / "gateway" / "release.profdata"


def find(name, source):
    """Where the program `name` is; `source` is where it can be had."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if not found:
        raise Failure(f"{name} is missing; Debian's package: {source}")
    return found


def run(command, typed="", cwd=None, environment=None, stderr=None):
    """Runs `command` to its end, with `typed` as its input; what it printed. `stderr` is as `subprocess` has it."""
    command = list(map(str, command))
    done = subprocess.run(command, cwd=cwd, text=True, input=typed, stdout=subprocess.PIPE, stderr=stderr,
                          env={**os.environ, **(environment or {})})
    if done.returncode:
        raise Failure(f"{' '.join(command)} failed")
    return done.stdout


def release(command, *arguments):
    """Builds as `make release` does; the path of what it made.

    Cargo does not look into the profile, so its digest is told too: another profile, another build.
    """
    digest = hashlib.sha256(PROFILE.read_bytes()).hexdigest()[:16]
    return cargo(command, "--release", *arguments,
                 flags=f'-Cprofile-use={PROFILE} -Cno-vectorize-slp --cfg profile="{digest}"')


def cargo(command, *arguments, flags=""):
    """Runs cargo, whose progress is for whoever waits, and returns the path of what it made."""
    line = ["cargo", command, "--locked", "--message-format=json", "-p", "influx-gateway"]
    output = run([*line, *arguments], cwd=REPOSITORY, environment={"RUSTFLAGS": flags})
    messages = [json.loads(text) for text in output.splitlines() if text.startswith("{")]
    return next(message["executable"] for message in reversed(messages)
                if message.get("executable"))


def said(command, pattern):
    """What of a program's output, wherever it writes it, matches `pattern`."""
    done = subprocess.run(command, text=True, capture_output=True)
    match = re.search(pattern, done.stdout + done.stderr)
    return match.group(1) if match else "unknown"


def commit():
    """The version of this repository."""
    return said(["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"], r"(\S+)")


def locked(crate):
    """The version of a crate that the gateway is built with."""
    lock = (REPOSITORY / "Cargo.lock").read_text()
    return re.search(rf'name = "{crate}"\nversion = "(.*)"', lock).group(1)


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
    }
