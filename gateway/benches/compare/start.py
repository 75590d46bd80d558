"""From nothing to the first answer, and the size of the program."""

import socket
import time
from statistics import median

import peers
from harness.command import say
from harness.process import Failure

TIMES = 9
QUESTION = b"GET /api/v2/me HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def measure(bench):
    """Milliseconds from starting the process to its first whole answer, several times."""
    say("start: to the first answer")
    found = [_first_answer(peers.gateway(bench.place, f"start-{number}").server)
             for number in range(TIMES)]
    return {"ms": median(found), "least_ms": min(found), "most_ms": max(found),
            "program_bytes": bench.place.built["gateway"].stat().st_size}


def _first_answer(server):
    began = time.monotonic()
    server.spawn()
    try:
        while time.monotonic() < began + 10:
            try:
                with socket.create_connection(("127.0.0.1", server.port), 5) as client:
                    client.sendall(QUESTION)
                    if client.recv(4096).startswith(b"HTTP/1.1 401"):
                        return (time.monotonic() - began) * 1e3
            except OSError:
                time.sleep(0.0005)
    finally:
        server.__exit__()
    raise Failure("start: no answer in ten seconds")
