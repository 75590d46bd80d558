"""Where a benchmark starts its servers."""

import itertools
import subprocess

from . import client, text
from .process import Server, all_cores, free_port

# Gateways are alone on the first core, if there is more than one; everything else has the others.
CORES = all_cores()
OF_GATEWAYS = CORES[:1]
OF_OTHERS = CORES[1:] or CORES


class Place:
    """A folder that is removed in the end, the programs that were built, and the upstream's port."""

    def __init__(self, folder, built, find):
        self.folder, self.built, self.find, self.upstream = folder, built, find, None
        self._numbers = itertools.count()

    def of(self, name):
        """A folder of its own for the server `name`, which may run as somebody else."""
        folder = self.folder / f"{name}-{next(self._numbers)}"
        (folder / "temp").mkdir(parents=True)
        folder.chmod(0o755)
        return folder

    def file(self, content):
        """A file with `content`."""
        file = self.folder / f"file-{next(self._numbers)}"
        file.write_text(content)
        return file

    def start_upstream(self, on=None):
        """nginx, which answers at once."""
        folder, self.upstream = self.of("upstream"), free_port()
        return self.nginx(folder, self.upstream, text.upstream(self.upstream), on or OF_OTHERS)

    def nginx(self, folder, port, configuration, on):
        """An nginx with this `configuration`, by which it listens on `port`."""
        (folder / "nginx.conf").write_text(configuration)
        command = [self.find("nginx"), "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]
        return Server("nginx", command, port, on, folder / "log")

    def client(self, gateway, requests, kinds, count=None, connections=1, **options):
        """What sends the text `requests` again and again; `harness.client` has the options."""
        return client.command(self.built["client"], gateway.port, self.file(requests), kinds, connections, OF_OTHERS,
                              count, **options)

    def load(self, gateway, requests, kind, count, connections=1, cookies=None, rate=None):
        """Sends the text `requests` again and again, `count` in all: what came of it."""
        command = self.client(gateway, requests, [kind], count, connections, seconds=3600, cookies=cookies, rate=rate)
        done = subprocess.run(command, text=True, capture_output=True)
        return client.result(done.stdout, done.stderr, done.returncode)

    def sign_in(self, gateway, users=1, count=1):
        """So many sign-ins, of `users` users in turn: the cookies."""
        file = self.folder / f"cookies-{next(self._numbers)}"
        requests = "".join(text.request(text.SIGN_IN, "POST", Authorization=text.basic(text.name(number)))
                           for number in range(users))
        self.load(gateway, requests, text.SIGNED_IN, count, min(count, 16), file)
        return file.read_text().split()

    def write_gateway(self, folder, configuration, users, secrets=()):
        """The files of a gateway, pairs of names and `secrets` among them, and how it is run."""
        (folder / "gateway.toml").write_text(configuration)
        for name, content in [("users.toml", users), *secrets]:
            (folder / name).write_text(content)
            (folder / name).chmod(0o600)
        return [self.built["influx-gateway"], "run", "--config", folder / "gateway.toml"]
