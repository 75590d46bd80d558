"""The programs that are compared: found, built, and asked for their versions."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from process import Failure

REPOSITORY = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent

LUA = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")

# Each program, and the Debian package that has it.
PACKAGES = {
    "nginx": "nginx", "haproxy": "haproxy", "apache2": "apache2-bin",
    "vmauth": "victoria-metrics", "wrk": "wrk", "taskset": "util-linux", "setpriv": "util-linux", "strace": "strace",
    "perf": "linux-perf", "cc": "gcc libc6-dev", "strip": "binutils", "cargo": "(rustup.rs)",
}


def find(name):
    """Where the program `name` is."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if not found:
        raise Failure(f"{name} is missing; Debian's package: {PACKAGES[name]} (or: make bench)")
    return found


def check():
    """Fails at once if anything is missing, rather than after ten minutes."""
    for name in PACKAGES:
        find(name)
    if not LUA.exists():
        raise Failure(f"{LUA} is missing; Debian's package: libnginx-mod-http-lua (or: make bench)")


def build(folder, gateway=None):
    """Builds what is this repository's into `folder`: name to path.

    Copies, so that whoever builds meanwhile changes nothing. The gateway is kept with its symbols
    for the profile and stripped for everything else; `gateway` is one that was built elsewhere.
    """
    folder.mkdir()
    symbols = folder / "influx-gateway.symbols"
    release = ["--release", "--bin", "influx-gateway", "--", "-C", "strip=none"]
    shutil.copy(gateway or _cargo("rustc", *release), symbols)
    built = {"symbols": symbols, "gateway": folder / "influx-gateway"}
    _run([find("strip"), "-o", built["gateway"], symbols])
    for name, profile in {"bare_pingora": "release", "stock_pingora": "stock"}.items():
        built[name] = folder / name
        shutil.copy(_cargo("build", "--profile", profile, "--example", name), built[name])
    built["client"] = folder / "client"
    _run([find("cc"), "-O2", "-Wall", "-Werror", "-o", built["client"], HERE / "client.c"])
    return built


def _cargo(command, *arguments):
    """Runs cargo, whose progress is for whoever waits, and returns the path of what it made."""
    line = [find("cargo"), command, "--locked", "--message-format=json", "-p", "influx-gateway"]
    output = _run([*line, *arguments], cwd=REPOSITORY)
    messages = [json.loads(text) for text in output.splitlines() if text.startswith("{")]
    return next(message["executable"] for message in reversed(messages)
                if message.get("executable"))


def _run(command, cwd=None):
    command = list(map(str, command))
    done = subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE)
    if done.returncode:
        raise Failure(f"{' '.join(command)} failed")
    return done.stdout


def _said(command, pattern):
    """What of a program's output, wherever it writes it, matches `pattern`."""
    done = subprocess.run(command, text=True, capture_output=True)
    match = re.search(pattern, done.stdout + done.stderr)
    return match.group(1) if match else "unknown"


def versions():
    """The version of everything that takes part."""
    lock = (REPOSITORY / "Cargo.lock").read_text()
    pingora = re.search(r'name = "pingora-proxy"\nversion = "(.*)"', lock).group(1)
    commit = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    return {
        "influx-gateway": _said(commit, r"(\S+)"),
        "Pingora": pingora,
        "rustc": _said(["rustc", "--version"], r"rustc (\S+)"),
        "nginx": _said([find("nginx"), "-v"], r"nginx/(\S+)"),
        "HAProxy": _said([find("haproxy"), "-v"], r"version (\S+)"),
        "Apache httpd": _said([find("apache2"), "-v"], r"Apache/(\S+)"),
        "vmauth": _said(["dpkg-query", "-W", "victoria-metrics"], r"\s(\S+)"),
        "wrk": _said([find("wrk"), "-v"], r"wrk (?:debian/)?(\S+)"),
    }


def machine():
    """What it was measured on."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    return {
        "processor": processor.group(1) if processor else os.uname().machine,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory.group(1)) / 1024 ** 2),
        "kernel": os.uname().release,
        "system": system.group(1) if system else "Linux",
    }
