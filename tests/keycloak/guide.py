"""What docs/single-sign-on.md has a stranger do: its own commands and its own configuration, at other addresses."""

import os
import re
import subprocess

from keycloak import ADMIN, HOME, JAVA
from machine import ROOT, TARGET, Influxd

PAGE = ROOT / "docs/single-sign-on.md"
SECTIONS = ["### Keycloak", "### Telegraf with Keycloak", "### Try it"]

# What is not the gateway's, and needs a program that is not here.
OTHERS = "[[secretstores"


def sections():
    """Those of the page that are followed, in its order."""
    texts = re.split(r"^(?=##+ )", PAGE.read_text(), flags=re.M)
    found = [text for text in texts if text.split("\n")[0] in SECTIONS]
    if len(found) != len(SECTIONS):
        raise AssertionError(f"{PAGE.name} has not all of {SECTIONS}")
    return found


def script(addresses):
    """All that is to be typed, as one script: configuration goes into `gateway.toml`, one block behind the other."""
    lines = ["set -eu -o pipefail", "rm -f gateway.toml"]
    for kind, block in re.findall(r"^```(sh|toml)\n(.*?)^```$", "".join(sections()), flags=re.M | re.S):
        if kind == "sh":
            lines.append(block)
        elif not block.startswith(OTHERS):
            lines.append(f"cat >> gateway.toml <<'TOML'\n{block}TOML\n")
    text = "\n".join(lines)
    for written, real in addresses.items():
        if written not in text:
            raise AssertionError(f"{PAGE.name} does not say {written}")
        text = text.replace(written, real)
    return text


def follow(folder, keycloak, influxd, port):
    """Does what the page says, for a gateway at `port`, in `folder`: what was printed."""
    addresses = {"https://keycloak.example.com": keycloak.base, "https://gateway.example.com": f"http://127.0.0.1:{port}",
                 "127.0.0.1:8086": f"127.0.0.1:{port}", "127.0.0.1:8087": f"127.0.0.1:{influxd.port}"}
    gateway = folder / "bin"
    gateway.mkdir()
    program = os.environ.get("GATEWAY_PROGRAM", TARGET / "debug/influx-gateway")
    (gateway / "influx-gateway").symlink_to(program)
    path = [gateway, HOME / "bin", TARGET / "influxd", "/usr/bin", "/bin"]
    environment = {
        "PATH": ":".join(map(str, path)), "HOME": str(folder), "KC_OPTS": f"{JAVA} -Duser.home={folder}",
        "KC_CLI_PASSWORD": ADMIN["password"],
        "INFLUX_HOST": f"http://127.0.0.1:{influxd.port}", "INFLUX_TOKEN": Influxd.OPERATOR}
    done = subprocess.run(["bash", "-c", script(addresses)], cwd=folder, env=environment, capture_output=True, text=True,
                          timeout=300)
    if done.returncode:
        raise AssertionError(f"what {PAGE.name} says does not work: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
