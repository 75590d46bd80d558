"""Memory of the gateway while many clients are connected and say nothing."""

import resource
import socket
from contextlib import ExitStack

import configuration as text
import load
import peers
from harness.command import say
from harness.process import Failure

WANTED = 10_000

# Files that this program needs for itself.
OWN = 500


def measure(bench):
    """Resident memory before, and with 10,000 connections that have each had one answer."""
    count = _possible()
    say(f"idle connections: {count:,}")
    with peers.gateway(bench.place, "idle") as peer, ExitStack() as connections:
        before = peer.server.resident()
        question = load.request(text.EMPTY, peer.headers).encode()
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", peer.server.port), 20)
            connections.enter_context(client)
            client.sendall(question)
            if not client.recv(4096).startswith(b"HTTP/1.1 204"):
                raise Failure("idle connections: an answer is not 204")
        return {"connections": count, "before": before, "resident": peer.server.resident()}


def _possible():
    """As many as this program may have open, itself and the gateway."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = min(WANTED, most - OWN)
    if count < WANTED:
        say(f"  no more than {count:,}: `ulimit -Hn` is {most}")
    return count
