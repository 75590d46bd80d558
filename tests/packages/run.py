"""The Debian package, installed into a root of its own, and what Kubernetes is given: `make test-packages` calls this.

    python3 tests/packages/run.py [PART,…]      of: debian, kubernetes
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target"
TOOLS = TARGET / "packages"
PACKAGE = TOOLS / "influx-gateway.deb"
CHART = ROOT / "conf/helm/influx-gateway"
PATIENCE = 60
# What a root of the smallest kind does not have of what the package needs.
DEPENDENCIES = ["ca-certificates", "openssl", "libssl3"]


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def run(*command, expected=0, **options):
    """What a command prints; both outputs are in the failure if it ends otherwise than expected."""
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, **options)
    if done.returncode != expected:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def check(name, found, wanted):
    if found != wanted:
        raise AssertionError(f"{name}: {found!r} instead of {wanted!r}")


class Root:
    """A Debian of its own in a folder, with the package's program in a process of it."""

    def __init__(self, folder):
        self.folder = folder
        run("tar", "--directory", folder, "--extract", "--file", TARGET / "compose/debian.tar")

    def run(self, *command, **options):
        return run("chroot", self.folder, *command, **options)

    def status(self):
        return self.run("dpkg-query", "--show", "--showformat", "${db:Status-Status}", "influx-gateway")


def installed(root):
    """What a `dpkg -i` has made."""
    check("status", root.status(), "installed")
    version = root.run("influx-gateway", "--version").split()
    check("program", version[0], "influx-gateway")
    check("user", root.run("id", "--user", "--name", "influx-gateway").strip(), "influx-gateway")
    for path, owner in [("/etc/influx-gateway", "root influx-gateway 750"),
                        ("/etc/influx-gateway/gateway.toml", "root influx-gateway 640"),
                        ("/var/lib/influx-gateway", "influx-gateway influx-gateway 700"),
                        ("/var/lib/influx-gateway/users.toml", "influx-gateway influx-gateway 600")]:
        check(path, root.run("stat", "--format", "%U %G %a", path).strip(), owner)
    for path in ["usr/share/man/man1/influx-gateway.1.gz", "usr/share/man/man1/influx-gateway-run.1.gz",
                 "usr/share/bash-completion/completions/influx-gateway",
                 "usr/share/zsh/vendor-completions/_influx-gateway",
                 "usr/share/fish/vendor_completions.d/influx-gateway.fish",
                 "lib/systemd/system/influx-gateway.service"]:
        assert (root.folder / path).stat().st_size > 0, path
    told = root.run("influx-gateway", "check", "--config", "/etc/influx-gateway/gateway.toml")
    assert "good; users: 1" in told, told
    check("files as packed", root.run("dpkg", "--verify", "influx-gateway"), "")
    unit = (root.folder / "lib/systemd/system/influx-gateway.service").read_text()
    assert "ExecStart=/usr/bin/influx-gateway run" in unit, unit


def iter_until(lines, mark):
    """The lines up to the first that has the mark."""
    for line in lines:
        yield line
        if mark in line:
            return


def serves(root):
    """The program runs as its user, and answers."""
    config = root.folder / "etc/influx-gateway/gateway.toml"
    packed = config.read_text()
    config.write_text(packed.replace('"127.0.0.1:8086"', '"127.0.0.1:0"', 1))
    command = ["chroot", "--userspec=influx-gateway:influx-gateway", root.folder, "influx-gateway", "run",
               "--config", "/etc/influx-gateway/gateway.toml"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        # Up to the line that says where; none, if the program has ended.
        lines = "".join(iter_until(process.stdout, "listening on"))
        url = re.search(r"listening on (http://\S+)", lines)
        assert url, lines
        with urllib.request.urlopen(f"{url.group(1)}/gateway/health", timeout=PATIENCE) as answer:
            check("health", answer.status, 200)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    config.write_text(packed)


def the_debian_package_installs_serves_and_goes():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        root = Root(folder)
        shutil.copy(PACKAGE, folder / "package.deb")
        say("dpkg -i, with what it depends on")
        run("apt-get", "-qq", "update")
        run("apt-get", "-qq", "download", *DEPENDENCIES, cwd=folder)
        root.run("sh", "-c", "dpkg -i /*.deb", env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
        installed(root)
        serves(root)
        say("dpkg -i of the same again, as an upgrade does; an edited file stays")
        users = folder / "var/lib/influx-gateway/users.toml"
        with users.open("a") as file:
            file.write("# mine\n")
        root.run("dpkg", "-i", "/package.deb")
        assert users.read_text().endswith("# mine\n")
        root.run("dpkg", "--remove", "influx-gateway")
        assert users.exists() and not (folder / "usr/bin/influx-gateway").exists()
        root.run("dpkg", "--purge", "influx-gateway")
        assert not users.exists()


def kubernetes_takes_the_manifests():
    helm, kubeconform = TOOLS / "helm", TOOLS / "kubeconform"
    home = {"HELM_CACHE_HOME": str(TOOLS), "HELM_CONFIG_HOME": str(TOOLS), "HELM_DATA_HOME": str(TOOLS)}
    environment = os.environ | home
    run(helm, "lint", "--strict", CHART, env=environment)
    rendered = run(helm, "template", "influx-gateway", CHART, env=environment)
    check("conf/kubernetes", (ROOT / "conf/kubernetes/influx-gateway.yaml").read_text(), rendered)
    kinds = f"{TOOLS}/schemas/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    told = run(kubeconform, "-strict", "-summary", "-output", "json", "-schema-location", kinds, "-",
               input=rendered)
    summary = json.loads(told)["summary"]
    check("manifests", summary, {"valid": 5, "invalid": 0, "errors": 0, "skipped": 0})
    say("a wrong field is seen")
    wrong = rendered.replace("replicas:", "replica:")
    run(kubeconform, "-strict", "-schema-location", kinds, "-", input=wrong, expected=1)


PARTS = {"debian": the_debian_package_installs_serves_and_goes, "kubernetes": kubernetes_takes_the_manifests}


def main():
    wanted = sys.argv[1].split(",") if sys.argv[1:] else list(PARTS)
    failed = 0
    for name in wanted:
        test = PARTS[name]
        try:
            test()
            say(f"{test.__name__}: passed")
        except AssertionError as failure:
            failed += 1
            say(f"{test.__name__}: FAILED\n{failure}")
    print(f"{len(wanted) - failed} passed, {failed} failed")
    sys.exit(bool(failed))


main()
