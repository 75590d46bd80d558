"""Memory of calls that are not answered yet: a hundred on a connection, as many connections as that takes."""

import socket
import time

import frames
from harness.command import say
from harness.process import PATIENCE, Failure

# As many as the gateway allows on a connection.
OF_A_CONNECTION = 100

# So that what a first request takes once is not counted.
WARM = 100


def measure(bench):
    """Bytes of the gateway that a waiting call takes, its share of connections included."""
    with bench.place.start_python("hold.py") as server:
        gateway, token = bench.place.start_gateway(server.port)
        with gateway:
            connections = _open(gateway, token, WARM)
            _wait(server, WARM)
            before = gateway.resident()
            connections += _open(gateway, token, bench.idle)
            _wait(server, WARM + bench.idle)
            taken = gateway.resident() - before
            for connection in connections:
                connection.close()
    found = {"calls": bench.idle, "bytes": taken, "each": taken / bench.idle}
    say(f"idle: {found['each'] / 1024:.1f} KiB each")
    return found


def _open(gateway, token, count):
    """Connections with so many calls in all."""
    fields = [(":method", "POST"), (":scheme", "http"), (":authority", "bench"),
              (":path", "/arrow.flight.protocol.FlightService/DoGet"), ("te", "trailers"),
              ("content-type", "application/grpc"), ("authorization", f"Bearer {token}")]
    head, opened = frames.block(fields), []
    while count > 0:
        calls = min(count, OF_A_CONNECTION)
        connection = socket.create_connection(("127.0.0.1", gateway.port))
        heads = [frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 2 * call + 1, head)
                 for call in range(calls)]
        connection.sendall(frames.PREFACE + frames.frame(frames.SETTINGS) + b"".join(heads))
        opened.append(connection)
        count -= calls
    return opened


def _wait(server, calls):
    """Waits until the server has so many calls."""
    end, found = time.monotonic() + PATIENCE, 0
    while found < calls:
        if time.monotonic() > end:
            raise Failure(f"only {found} of {calls} calls reach the server")
        time.sleep(0.1)
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n\r\n\r\n\r\n\r\n")
            found = int(connection.makefile().readline())
    if found > calls:
        raise Failure(f"{found} calls instead of {calls} reach the server")
