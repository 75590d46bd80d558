"""Queries by Arrow's client: long ones, for the rate, and small ones, for the CPU of what stands before the server."""

import subprocess
from contextlib import ExitStack
from statistics import median

import programs
from harness.command import say
from harness.process import Failure, pinned
from place import HERE, OF_OTHERS

ROWS = 200_000
THREADS = 8


def rate(bench):
    """Rows a second of long queries, one after the other: direct, by nginx, by the gateway, in turn."""
    with _started(bench) as (servers, tokens):
        return {"rows": ROWS, "queries": bench.queries,
                **{kind: _rate(bench, servers, tokens, kind) for kind in ("made", "ready")}}


def _rate(bench, servers, tokens, kind):
    rounds = []
    for _ in range(bench.rounds):
        took = {name: _load(server, tokens.get(name, "-"), kind, ROWS, bench.queries, 1)[0]
                for name, server in servers.items()}
        rounds.append({name: ROWS * bench.queries / seconds for name, seconds in took.items()})
        say(f"rate, {kind}: " + ", ".join(f"{name} {one / 1e6:.2f} M rows/s" for name, one in rounds[-1].items()))
    ratios = [one["gateway"] / one["direct"] for one in rounds]
    return {"rates": {name: median(one[name] for one in rounds) for name in servers}, "ratio": median(ratios),
            "least": min(ratios), "most": max(ratios), "nginx": median(one["nginx"] / one["direct"] for one in rounds)}


def small(bench):
    """Microseconds of CPU of a query of one row: of nginx that only forwards, and of the gateway, in turn."""
    rounds = []
    with _started(bench) as (servers, tokens):
        for _ in range(bench.rounds):
            cpu = {name: 1e6 * _load(servers[name], tokens.get(name, "-"), "ready", 1, bench.calls, THREADS)[1] / bench.calls
                   for name in ("nginx", "gateway")}
            rounds.append(cpu)
            say("small: " + ", ".join(f"{name} {one:.0f} µs" for name, one in cpu.items()))
    ratios = [one["gateway"] / one["nginx"] for one in rounds]
    return {"calls": bench.calls, "threads": THREADS, "cpu": {name: median(one[name] for one in rounds) for name in cpu},
            "ratio": median(ratios), "least": min(ratios), "most": max(ratios)}


class _started(ExitStack):
    """The server and what stands before it; and the tokens that they want."""

    def __init__(self, bench):
        super().__init__()
        self.place = bench.place

    def __enter__(self):
        super().__enter__()
        server = self.enter_context(self.place.start_python("server.py"))
        nginx = self.enter_context(self.place.start_nginx(server.port))
        gateway, token = self.place.start_gateway(server.port)
        return {"direct": server, "nginx": nginx, "gateway": self.enter_context(gateway)}, {"gateway": token}


def _load(server, token, kind, rows, count, threads):
    """How many seconds it took, and how many of the server's CPU."""
    command = [programs.PYTHON, HERE / "load.py", server.port, token, kind, rows, count, threads]
    with subprocess.Popen(pinned(command, OF_OTHERS), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as load:
        if load.stdout.readline() != "ready\n":
            raise Failure(f"no load on {server.name}: {load.stderr.read()}")
        before = server.cpu()
        took, error = load.communicate("\n")
        if load.returncode:
            raise Failure(f"the load on {server.name} failed: {error}")
        return float(took), server.cpu() - before
