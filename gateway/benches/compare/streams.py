"""Long bodies: a write and a query result of 1 GiB, and what they cost."""

import socket
from statistics import median

import configuration as text
import peers
from bench import interleaved
from harness.command import say
from harness.process import Failure

BLOCK = b"cpu,host=a usage=0.5 1767225600000000000\n" * 25_000


def measure(bench):
    """The gateway and nginx: bytes a CPU second, and how far memory grows meanwhile."""
    say(f"streams: {bench.stream_bytes >> 20} MiB each way")
    running = [peers.gateway(bench.place, "streams"), peers.nginx(bench.place, name="nginx-streams")]

    def both(peer):
        return {"write": _cost(bench, peer, _write), "query": _cost(bench, peer, _query)}
    results = interleaved(running, bench.few, both)
    return {peer.title: {kind: {key: median(found[kind][key] for found in rounds)
                                for key in ("bytes_per_cpu_second", "grown")}
                         for kind in ("write", "query")}
            for peer, rounds in zip(running, results)}


def _cost(bench, peer, transfer):
    server = peer.server
    server.forget_peak()
    before, cpu = server.resident(), server.cpu()
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        transfer(client, peer, bench.stream_bytes)
    return {"bytes_per_cpu_second": bench.stream_bytes / (server.cpu() - cpu),
            "grown": max(0, server.peak() - before)}


def _head(method, path, peer, extra=""):
    headers = "".join(f"{name}: {value}\r\n" for name, value in peer.headers.items())
    return (f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"{headers}{extra}\r\n").encode()


def _write(client, peer, size):
    client.sendall(_head("POST", text.WRITE, peer, f"Content-Length: {size}\r\n"))
    left = memoryview(BLOCK)
    sent = 0
    while sent < size:
        piece = left[:size - sent]
        client.sendall(piece)
        sent += len(piece)
    answer = client.recv(4096).decode()
    if not answer.startswith("HTTP/1.1 204") or f"x-bytes: {size}\r\n" not in answer.lower():
        raise Failure(f"{peer.title}: a write of {size} bytes is answered {answer!r}")


def _query(client, peer, size):
    client.sendall(_head("GET", text.QUERY, peer))
    buffer, received, last = bytearray(1 << 20), 0, b""
    while count := client.recv_into(buffer):
        received += count
        last = (last + bytes(buffer[max(0, count - 5):count]))[-5:]
    # The chunks' own sizes come on top; what counts is that nothing is missing.
    if received < size or last != b"0\r\n\r\n":
        raise Failure(f"{peer.title}: a result of {size} bytes ended after {received}")
