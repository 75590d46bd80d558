"""Where everything is started: a folder, the programs, the upstream, Redis, and the gateways."""

from dataclasses import dataclass

import configuration as text
from harness import place
from harness.place import OF_GATEWAYS, OF_OTHERS
from harness.process import Server, free_port
from redis import Redis

MEMORY = "memory"


class Place(place.Place):
    """One with Redis, and with gateways whose sessions may be there."""

    def start_redis(self, name="redis"):
        """An empty Redis that keeps nothing on disk."""
        return Redis(self.find("redis-server"), self.of(name), OF_OTHERS)

    def start_gateway(self, name, store=MEMORY, keys="", users=1):
        """A gateway with so many users, and its sessions in `store`."""
        folder, port = self.of(name), free_port()
        configuration = text.gateway(port, self.upstream, folder, store, keys)
        command = self.write_gateway(folder, configuration, text.users(users))
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
