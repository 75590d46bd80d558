"""What every measurement is given, and what is common to them."""

from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import configuration as text
import load
from harness.command import say
from harness.process import Failure, Server
from layout import cores
from peers import Place

# Requests that the upstream may have seen besides those counted: in flight when the load stopped,
# the questions of this program, and what a gateway asks by itself.
MARGIN = load.CONNECTIONS + 16


@dataclass
class Bench:
    """A running upstream, a place for servers, and how long to measure."""

    place: Place
    upstream: Server
    rounds: int
    seconds: int
    sessions: int
    stream_bytes: int

    @property
    def few(self):
        """Rounds for measurements beside the main one."""
        return min(self.rounds, 7)


def interleaved(peers, rounds, measure):
    """Runs `measure` on all peers in turn, `rounds` times: a list of what it returns for each.

    In turn, so that whatever else the machine does meets all of them alike.
    """
    results = [[] for _ in peers]
    with ExitStack() as running:
        for peer in peers:
            say(f"  starts {peer.title}")
            running.enter_context(peer)
        for number in range(rounds):
            for peer, found in zip(peers, results):
                found.append(measure(peer))
            latest = ", ".join(peer.name + shown(found[-1]) for peer, found in zip(peers, results))
            say(f"  round {number + 1} of {rounds}: {latest}")
    return results


def shown(result):
    """What of a result is worth a look while it runs."""
    figure = result.get("cpu_us") or result.get("p99")
    return f" {figure:.1f} µs" if figure else ""


def warm_up(peer):
    """Fills pools and caches."""
    load.wrk(peer.server.port, text.EMPTY, peer.headers, 1, cores()[1])


def under_load(bench, peer, path=text.EMPTY, on=None, forwarded=True, drive=load.wrk):
    """One round: CPU of the proxy for each request, and how many it answers.

    Right answers only: they are looked at before and after; `drive` fails at refusals; and the upstream's
    own count shows that all of them went through it, or none.
    """
    peer.check()
    server, upstream = peer.server, bench.upstream.port
    seen, (user, system), cpu = load.upstream_count(upstream), server.user_and_system(), server.cpu()
    result = drive(server.port, path, peer.headers, bench.seconds, on or cores()[1])
    cpu, (user_after, system_after) = server.cpu() - cpu, server.user_and_system()
    load.settle()
    seen = load.upstream_count(upstream) - seen
    expected = result.requests if forwarded else 0
    if not expected <= seen <= expected + MARGIN:
        raise Failure(f"{peer.title}: {result.requests} answers, but {seen} requests upstream")
    peer.check()
    return {
        "cpu_us": cpu / result.requests * 1e6,
        "rps": result.requests / result.seconds,
        "user_s": user_after - user,
        "system_s": system_after - system,
    }


def summary(rounds):
    """Medians and spread of a peer's rounds."""
    costs = [found["cpu_us"] for found in rounds]
    user, system = (sum(found[key] for found in rounds) for key in ("user_s", "system_s"))
    return {
        "cpu_us": median(costs),
        "least_us": min(costs),
        "most_us": max(costs),
        "rps": median(found["rps"] for found in rounds),
        "per_cpu_second": 1e6 / median(costs),
        "kernel_share": system / (user + system),
        "rounds": costs,
    }
