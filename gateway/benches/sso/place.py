"""Where everything is started: a folder, the programs, the upstream, Redis, and the gateways."""

import base64
import time
from dataclasses import dataclass

from harness import place, text
from harness.place import OF_GATEWAYS, OF_OTHERS
from harness.process import PATIENCE, Failure, Server, free_port
from issuer import AUDIENCE
from provider import CLIENT, SECRET, Provider

EMPTY = "204"
REFUSED = "401 unauthorized access"
TURNED_AWAY = "429 too many requests"


class Gateway(Server):
    """A gateway, which is ready when it has the keys of its provider."""

    def _wait(self):
        super()._wait()
        end = time.monotonic() + PATIENCE
        while " are in use" not in self.log.read_text(errors="replace"):
            if time.monotonic() > end:
                raise Failure(f"the gateway gets no keys:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.02)


class Place(place.Place):
    """One with Redis, and with gateways that have a provider."""

    def start_redis(self):
        """An empty Redis that keeps nothing on disk."""
        folder, port = self.of("redis"), free_port()
        command = [self.find("redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        return Server("redis-server", command, port, OF_OTHERS, folder / "log")

    def start_gateway(self, provider, sign_in=False, store=None, trusts=False):
        """A gateway with one thread that takes JWTs of `provider`, or has it sign users in; its sessions in `store`. If it
        `trusts` the load, clients are who that says."""
        folder, port = self.of("gateway"), free_port()
        more = (_oidc if sign_in else _jwt)(provider, port) + (_store(store) if store else "")
        config = text.gateway(port, self.upstream, folder, more)
        if trusts:
            config = config.replace("[listen]\n", '[listen]\ntrusted_proxies = ["127.0.0.1"]\n', 1)
        secrets = [("grant.token", "granted"), ("oidc.secret", SECRET)]
        command = self.write_gateway(folder, config, text.users(1, text.CHEAPEST_HASH), secrets)
        environment = {"RUST_LOG": "warn,influx_gateway=info"}
        return Gateway("gateway", command, port, OF_GATEWAYS, folder / "log", environment)


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
