"""Where everything is started: a folder, the programs, the upstream, Redis, and the gateways."""

import base64
import itertools
import subprocess
import time
from dataclasses import dataclass

import programs
from harness import client, text
from harness.process import PATIENCE, Failure, Server, all_cores, free_port
from issuer import AUDIENCE
from provider import CLIENT, SECRET, Provider

# Gateways are alone on the first core, if there is more than one; everything else has the others.
CORES = all_cores()
OF_GATEWAYS = CORES[:1]
OF_OTHERS = CORES[1:] or CORES

EMPTY = "204"
REFUSED = "401 unauthorized access"
TURNED_AWAY = "429 too many requests"
SIGNED_IN = "204 set-cookie: influxdb-oss-session="

_files = itertools.count()


class Gateway(Server):
    """A gateway, which is ready when it has the keys of its provider."""

    def _wait(self):
        super()._wait()
        end = time.monotonic() + PATIENCE
        while " are in use" not in self.log.read_text(errors="replace"):
            if time.monotonic() > end:
                raise Failure(f"the gateway gets no keys:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.02)


class Place:
    """A folder that is removed in the end, and the programs that were built."""

    def __init__(self, folder, built):
        self.folder, self.built, self.upstream = folder, built, None

    def of(self, name):
        """A new folder."""
        folder = self.folder / f"{name}-{next(_files)}"
        (folder / "temp").mkdir(parents=True)
        folder.chmod(0o755)
        return folder

    def start_upstream(self):
        """nginx, which answers at once."""
        folder, self.upstream = self.of("upstream"), free_port()
        (folder / "nginx.conf").write_text(text.upstream(self.upstream))
        command = [programs.find("nginx"), "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]
        return Server("nginx", command, self.upstream, OF_OTHERS, folder / "log")

    def start_redis(self):
        """An empty Redis that keeps nothing on disk."""
        folder, port = self.of("redis"), free_port()
        command = [programs.find("redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        return Server("redis-server", command, port, OF_OTHERS, folder / "log")

    def start_gateway(self, provider, sign_in=False, store=None, trusts=False):
        """A gateway with one thread that takes JWTs of `provider`, or has it sign users in; its sessions in `store`. If it
        `trusts` the load, clients are who that says."""
        folder, port = self.of("gateway"), free_port()
        more = (_oidc if sign_in else _jwt)(provider, port) + (_store(store) if store else "")
        config = text.gateway(port, self.upstream, folder, more)
        if trusts:
            config = config.replace("[listen]\n", '[listen]\ntrusted_proxies = ["127.0.0.1"]\n', 1)
        (folder / "gateway.toml").write_text(config)
        files = {"users.toml": text.users(1, text.CHEAPEST_HASH), "grant.token": "granted", "oidc.secret": SECRET}
        for name, content in files.items():
            (folder / name).write_text(content)
            (folder / name).chmod(0o600)
        command = [self.built["influx-gateway"], "run", "--config", folder / "gateway.toml"]
        environment = {"RUST_LOG": "warn,influx_gateway=info"}
        return Gateway("gateway", command, port, OF_GATEWAYS, folder / "log", environment)

    def file(self, requests):
        """A file with the text `requests`."""
        file = self.folder / f"requests-{next(_files)}"
        file.write_text(requests)
        return file

    def client(self, gateway, requests, kinds, count=None, connections=1, cookies=None, **options):
        """What runs the load."""
        return client.command(self.built["client"], gateway.port, self.file(requests), kinds, connections, OF_OTHERS,
                              count, cookies=cookies, **options)

    def load(self, gateway, requests, kind, count, connections=1, cookies=None, rate=None):
        """Sends the text `requests` again and again, `count` in all: what came of it."""
        command = self.client(gateway, requests, [kind], count, connections, cookies, seconds=3600, rate=rate)
        done = subprocess.run(command, text=True, capture_output=True)
        return client.result(done.stdout, done.stderr, done.returncode)

    def sign_in(self, gateway):
        """The cookie of a user of the file."""
        file = self.folder / f"cookies-{next(_files)}"
        request = text.request(text.SIGN_IN, "POST", Authorization=text.basic(text.name(0)))
        self.load(gateway, request, SIGNED_IN, 1, cookies=file)
        return file.read_text().split()[0]


def _jwt(provider, _port):
    return f"""[log]
access = false
[audit]
file = "audit.jsonl"
[[jwt]]
issuer = "{provider.name}"
audience = ["{AUDIENCE}"]
[[grant]]
group = "influx-writers"
access = "full"
token_file = "grant.token"
"""


def _oidc(provider, port):
    return f"""[log]
access = false
[audit]
file = "audit.jsonl"
[[oidc]]
id = "bench"
issuer = "{provider.name}"
client_id = "{CLIENT}"
client_secret_file = "oidc.secret"
redirect = "http://127.0.0.1:{port}/gateway/oidc/bench/callback"
[[grant]]
group = "influx-writers"
access = "full"
token_file = "grant.token"
"""


def _store(url):
    return f"""[session]
store = "{url}"
store_key = "{base64.b64encode(b'k' * 32).decode()}"
"""


@dataclass
class Bench:
    """A place to start servers in, and how much to measure."""

    place: Place
    provider: Provider
    rounds: int
    # Of each storm.
    seconds: int
    requests: int
    times: int
    # Forged JWTs a second, and forwarded requests beside them.
    storm: int
    rate: int
