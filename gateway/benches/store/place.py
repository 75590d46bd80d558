"""Where everything is started: a folder, the programs, the upstream, Redis, and the gateways."""

from dataclasses import dataclass

import configuration as text
import programs
from harness.process import Server, all_cores, free_port
from redis import Redis

# Gateways are alone on the first core, if there is more than one; Redis, load and upstream have the others.
CORES = all_cores()
OF_GATEWAYS = CORES[:1]
OF_OTHERS = CORES[1:] or CORES

MEMORY = "memory"


class Place:
    """A folder that is removed in the end, and the programs that were built."""

    def __init__(self, folder, built):
        self.folder, self.built, self.upstream = folder, built, None

    def of(self, name):
        """A folder for the server `name`, which may run as somebody else."""
        folder = self.folder / name
        (folder / "temp").mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        return folder

    def start_upstream(self):
        """nginx, which answers at once."""
        folder, self.upstream = self.of("upstream"), free_port()
        (folder / "nginx.conf").write_text(text.upstream(self.upstream))
        command = [programs.find("nginx"), "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]
        return Server("nginx", command, self.upstream, OF_OTHERS, folder / "log")

    def start_redis(self, name="redis"):
        """An empty Redis that keeps nothing on disk."""
        return Redis(programs.find("redis-server"), self.of(name), OF_OTHERS)

    def start_gateway(self, name, store=MEMORY, keys="", users=1):
        """A gateway with so many users, and its sessions in `store`."""
        folder, port = self.of(name), free_port()
        configuration = text.gateway(port, self.upstream, folder, store, keys)
        (folder / "gateway.toml").write_text(configuration)
        (folder / "users.toml").write_text(text.users(users))
        (folder / "users.toml").chmod(0o600)
        command = [self.built["influx-gateway"], "run", "--config", folder / "gateway.toml"]
        return Server(name, command, port, OF_GATEWAYS, folder / "log", {"RUST_LOG": "warn"})


@dataclass
class Bench:
    """A place to start servers in, and how much to measure."""

    place: Place
    # Of forwarded requests, and how many of these are in each.
    rounds: int
    requests: int
    # How many sign-ins and sign-outs are followed to another gateway.
    times: int
    # How many sessions are in Redis at once.
    sessions: int
