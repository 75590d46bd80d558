"""Where everything is started: a folder, the programs, the upstream, and the gateways."""

import subprocess

import programs
from harness import client, text
from harness.process import Server, all_cores, free_port

# Gateways are alone on the first core, if there is more than one; load and upstream have the others.
CORES = all_cores()
OF_GATEWAYS = CORES[:1]
OF_OTHERS = CORES[1:] or CORES

# Below the default of `session.max_sessions_per_user`.
PER_USER = 200


class Place:
    """A folder that is removed in the end, and the programs that were built."""

    def __init__(self, folder, built):
        self.folder, self.built, self.upstream = folder, built, None

    def start_upstream(self):
        """nginx, which answers at once."""
        folder, self.upstream = self.folder / "upstream", free_port()
        (folder / "temp").mkdir(parents=True)
        (folder / "nginx.conf").write_text(text.upstream(self.upstream))
        command = [programs.find("nginx"), "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]
        return Server("nginx", command, self.upstream, OF_OTHERS, folder / "log")

    def start_gateway(self, name, keys, users=1, before=()):
        """A gateway with its defaults but for addresses, one thread and cheap hashes, with more `keys`, run by
        the command `before`; and its listener for operators."""
        folder, port, admin = self.folder / name, free_port(), free_port()
        folder.mkdir()
        more = f'[admin]\nlisten = "127.0.0.1:{admin}"\n{keys}\n'
        (folder / "gateway.toml").write_text(text.gateway(port, self.upstream, folder, more))
        (folder / "users.toml").write_text(text.users(users, text.CHEAPEST_HASH))
        (folder / "users.toml").chmod(0o600)
        command = [*before, self.built["influx-gateway"], "run", "--config", folder / "gateway.toml"]
        # No certificates: to read them takes callgrind longer than the requests.
        environment = {"SSL_CERT_FILE": "/dev/null"}
        server = Server(name, command, port, OF_GATEWAYS, folder / "log", environment)
        server.admin, server.folder = admin, folder
        return server

    def load(self, gateway, requests, kind, count, connections=1, cookies=None):
        """Sends the text `requests` again and again, `count` in all."""
        file = self.folder / "requests"
        file.write_text(requests)
        command = client.command(self.built["client"], gateway.port, file, [kind], connections, OF_OTHERS,
                                 count, seconds=3600, cookies=cookies)
        done = subprocess.run(command, text=True, capture_output=True)
        return client.result(done.stdout, done.stderr, done.returncode)

    def sign_in(self, gateway, users, count):
        """So many sign-ins, of `users` users in turn: the cookies."""
        file = self.folder / "cookies"
        requests = "".join(text.request(text.SIGN_IN, "POST", Authorization=text.basic(text.name(number)))
                           for number in range(users))
        self.load(gateway, requests, "204 set-cookie: influxdb-oss-session=", count, 16, file)
        return file.read_text().split()
