"""The images that `Dockerfile` and `docker-compose.yml` name, made here."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from engine import ROOT, TARGET, NoEngine, say

IMAGES = Path(__file__).resolve().parent / "images"


def names():
    """The images that a stranger's engine fetches: Rust's, Debian's, and those of services by their names."""
    rust, debian = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    services = re.findall(r"^ +image: ((?:\w+/)?(\w+)\S*)", (ROOT / "docker-compose.yml").read_text(), re.M)
    return rust, debian, {name: image for image, name in services}


def copy_toolchain(folder):
    """The toolchain that is in use here, without its documentation."""
    def ask(*command):
        return Path(subprocess.check_output(command, text=True).strip())
    sysroot = ask("rustc", "--print", "sysroot")
    skipped = shutil.ignore_patterns("share", "rustdoc*", "*clippy*", "rust-analyzer*", "miri*")
    shutil.copytree(sysroot, folder / "toolchain", ignore=skipped, symlinks=True)


def make_images(engine, builds):
    rust, debian, services = names()
    say(f"making {debian}")
    engine.docker("import", TARGET / "compose" / "debian.tar", debian)
    try:
        engine.docker("run", "--rm", debian, "true")
    except AssertionError as refused:
        raise NoEngine(str(refused).strip()) from refused

    def make(name, dockerfile, files):
        say(f"making {name}")
        with tempfile.TemporaryDirectory() as context:
            for file in files:
                if callable(file):
                    file(Path(context))
                else:
                    shutil.copy(file, context)
            engine.docker("build", "--tag", name, "--file", IMAGES / dockerfile, context)

    program = TARGET / "debug" / "influx-gateway"
    if builds:
        make(rust, "rust-full.Dockerfile", [copy_toolchain, "/etc/ssl/certs/ca-certificates.crt"])
    else:
        make(rust, "rust.Dockerfile", [program, IMAGES / "rust-cargo"])
    files = [TARGET / "influxd" / name for name in ("influxd", "influx")]
    make(services["influxdb"], "influxdb.Dockerfile", [*files, IMAGES / "influxdb-entrypoint"])
    for name in ("haproxy", "prometheus", "redis"):
        make(services[name], f"{name}.Dockerfile", [])
