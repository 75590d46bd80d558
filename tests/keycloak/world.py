"""Keycloak, InfluxDB, and gateways between them."""

import re

from keycloak import SECRET, Keycloak
from machine import Gateway, Influxd, free_port, say, wait_until

# Each test has users of its own.
NAMES = ["ada", "bob", "cleo", "dora", "emil", "fay", "gus", "hana"]

# A session in use is asked about at most so often.
REFRESH = 2


class World:
    """What all tests share; their folder is removed in the end."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []

    def start(self):
        say("starting InfluxDB")
        self.influxd = Influxd(self.of("influxdb"), ["writers", "readers", "programs"])
        self.processes.append(self.influxd.process)
        say("starting Keycloak")
        self.keycloak = Keycloak(self.of("keycloak"), NAMES)
        say("Keycloak serves")
        ports = [free_port(), free_port()]
        self.keycloak.make_realm([f"http://127.0.0.1:{port}" for port in ports])
        self.gateway = self.start_gateway("gateway", ports[0], SECRET)
        self.port_of_another = ports[1]

    def of(self, name):
        folder = self.folder / name
        folder.mkdir()
        return folder

    def start_gateway(self, name, port, secret):
        """One that Keycloak knows, if the secret is right."""
        folder = self.of(name)
        (folder / "gateway.toml").write_text(configuration(port, self.influxd.port, self.keycloak.issuer))
        files = {"oidc.secret": secret, **{f"{name}.token": token for name, token in self.influxd.tokens.items()}}
        for file, content in files.items():
            (folder / file).write_text(content)
            (folder / file).chmod(0o600)
        return self.run_gateway(folder, port)

    def run_gateway(self, folder, port):
        """One with what is in `folder`, which soon knows Keycloak."""
        gateway = Gateway(folder, port)
        self.processes.append(gateway.process)
        has_keys = re.compile(f"keys of {self.keycloak.base}/realms/[a-z]+ are in use")
        wait_until("the gateway has Keycloak's keys", lambda: has_keys.search(gateway.log()))
        return gateway

    def stop(self):
        keycloak = getattr(self, "keycloak", None)
        for process in [*self.processes, *([keycloak.process] if keycloak else [])]:
            process.stop()

    def tell(self):
        """What the programs said last, for whoever looks for a fault."""
        for log in sorted(self.folder.glob("*/*.log")):
            lines = log.read_text(errors="replace").splitlines()[-15:]
            say("\n  ".join([f"{log.name}:", *lines]))


def configuration(port, upstream, issuer):
    return f"""[listen]
http = ["127.0.0.1:{port}"]
[upstream]
url = "http://127.0.0.1:{upstream}"
[users]
source = "none"
[forward]
ui = true
[audit]
file = "audit.jsonl"
[server]
drain_delay = "0s"
[[oidc]]
id = "keycloak"
name = "Example Corp"
issuer = "{issuer}"
client_id = "influx-gateway"
client_secret_file = "oidc.secret"
redirect = "http://127.0.0.1:{port}/gateway/oidc/keycloak/callback"
refresh = "{REFRESH}s"
[[jwt]]
issuer = "{issuer}"
audience = ["influx-api"]
[[grant]]
group = "influx-writers"
access = "full"
token_file = "writers.token"
[[grant]]
group = "influx-readers"
access = "read"
token_file = "readers.token"
[[grant]]
user = "service-account-telegraf"
access = "full"
token_file = "programs.token"
"""
