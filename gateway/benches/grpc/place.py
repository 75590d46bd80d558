"""Where everything is started: a folder, the programs, Arrow's server, and what stands before it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import programs
from harness import place, text
from harness.place import OF_GATEWAYS as OF_PROXIES
from harness.place import OF_OTHERS
from harness.process import Failure, Server, free_port

HERE = Path(__file__).parent


class Place(place.Place):
    """One with servers of Arrow's, and what stands before them."""

    def start_python(self, program, *arguments):
        """A server that is one of the scripts here: it is told its port first."""
        port = free_port()
        command = [programs.PYTHON, HERE / program, port, *arguments]
        return Server(program, command, port, OF_OTHERS, self.of(program) / "log")

    def start_nginx(self, upstream):
        """nginx, which forwards calls and does nothing else."""
        port = free_port()
        return self.nginx(self.of("nginx"), port, _nginx(port, upstream), OF_PROXIES)

    def start_gateway(self, upstream):
        """A gateway with one thread, and the token of a user."""
        folder, port = self.of("gateway"), free_port()
        users = text.users(1, text.CHEAPEST_HASH)
        command = self.write_gateway(folder, _gateway(port, upstream, folder), users, [("shared.token", "shared")])
        program, _, *config = command
        added = subprocess.run([program, "token", "add", text.name(0), *config], text=True, capture_output=True)
        if added.returncode:
            raise Failure(f"no token: {added.stderr}")
        environment = {"RUST_LOG": "warn,influx_gateway=info"}
        return Server("gateway", command, port, OF_PROXIES, folder / "log", environment), added.stdout.strip()


def _gateway(port, upstream, folder):
    keys = 'kind = "influxdb3"\ngrpc = true\ntoken_file = "shared.token"\n[users]'
    more = """[log]
access = false
[limits]
upstream_connections = 20000
upstream_connections_per_client = 20000
"""
    return text.gateway(port, upstream, folder, more).replace("[users]", keys)


def _nginx(port, upstream):
    return text.nginx(f"""    upstream server {{
        server 127.0.0.1:{upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} http2 backlog=4096;
        location / {{ grpc_pass grpc://server; }}
    }}""")


@dataclass
class Bench:
    """A place to start servers in, and how much to measure."""

    place: Place
    rounds: int
    queries: int
    calls: int
    idle: int
