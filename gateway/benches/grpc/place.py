"""Where everything is started: a folder, the programs, Arrow's server, and what stands before it."""

import itertools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import programs
from harness import text
from harness.process import Failure, Server, all_cores, free_port

# What stands before the server is alone on the first core, if there is more than one; everything else has the others.
CORES = all_cores()
OF_PROXIES = CORES[:1]
OF_OTHERS = CORES[1:] or CORES

HERE = Path(__file__).parent

_files = itertools.count()


class Place:
    """A folder that is removed in the end, and the gateway that was built."""

    def __init__(self, folder, gateway):
        self.folder, self.gateway = folder, gateway

    def of(self, name):
        """A new folder."""
        folder = self.folder / f"{name}-{next(_files)}"
        (folder / "temp").mkdir(parents=True)
        folder.chmod(0o755)
        return folder

    def start_python(self, program, *arguments):
        """A server that is one of the scripts here: it is told its port first."""
        port = free_port()
        command = [programs.PYTHON, HERE / program, port, *arguments]
        return Server(program, command, port, OF_OTHERS, self.of(program) / "log")

    def start_nginx(self, upstream):
        """nginx, which forwards calls and does nothing else."""
        folder, port = self.of("nginx"), free_port()
        (folder / "nginx.conf").write_text(_nginx(port, upstream))
        command = [programs.find("nginx"), "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]
        return Server("nginx", command, port, OF_PROXIES, folder / "log")

    def start_gateway(self, upstream):
        """A gateway with one thread, and the token of a user."""
        folder, port = self.of("gateway"), free_port()
        (folder / "gateway.toml").write_text(_gateway(port, upstream, folder))
        for name, content in {"users.toml": text.users(1, text.CHEAPEST_HASH), "shared.token": "shared"}.items():
            (folder / name).write_text(content)
            (folder / name).chmod(0o600)
        config = ["--config", folder / "gateway.toml"]
        added = subprocess.run([self.gateway, "token", "add", text.name(0), *config], text=True, capture_output=True)
        if added.returncode:
            raise Failure(f"no token: {added.stderr}")
        environment = {"RUST_LOG": "warn,influx_gateway=info"}
        command = [self.gateway, "run", *config]
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
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""daemon off;
{user}
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    scgi_temp_path temp;
    uwsgi_temp_path temp;
    upstream server {{
        server 127.0.0.1:{upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} http2 backlog=4096;
        location / {{ grpc_pass grpc://server; }}
    }}
}}
"""


@dataclass
class Bench:
    """A place to start servers in, and how much to measure."""

    place: Place
    rounds: int
    queries: int
    calls: int
    idle: int
