"""How long requests take at 70 % of what a proxy can do, at a steady rate.

What it can do is measured right before and right after each round. Where the machine changed its pace in
between, 70 % may have been more than all of it, and the wait without end: such a round is taken
again.
"""

from statistics import median

import configuration as text
import load
import peers
from bench import interleaved, under_load
from harness.command import say

SHARE = 0.7

# By how much the machine may change its pace, and how often a round is taken.
STEADY = 0.85
TRIES = 4


def measure(bench):
    """The gateway and nginx with `auth_request`: each at 70 % of its own most, then both at 70 % of the
    lesser."""
    say("latency: at 70 % of the most that each can do, and that both can")
    running = [peers.gateway(bench.place, "latency"), peers.nginx_auth_request(bench.place)]
    lesser = {}

    def one_round(peer):
        for _ in range(TRIES):
            before = under_load(bench, peer)["rps"]
            found = steady(bench, peer, SHARE * before, 2 * bench.seconds)
            after = under_load(bench, peer)["rps"]
            if min(before, after) / max(before, after) >= STEADY:
                break
            say(f"    {peer.name}: {before:,.0f} requests a second before, {after:,.0f} after; again")
        lesser[peer.name] = min(before, lesser.get(peer.name, before))
        return {"rate": SHARE * before, **found,
                "same": {"rate": SHARE * min(lesser.values()),
                         **steady(bench, peer, SHARE * min(lesser.values()), 2 * bench.seconds)}}
    # The first round finds out who can do less.
    results = [rounds[1:] for rounds in interleaved(running, 1 + bench.few, one_round)]
    return {"own": _medians(running, results),
            "same": _medians(running, [[found["same"] for found in rounds] for rounds in results])}


def _medians(running, results):
    return {name: {"title": peer.title, **{key: median(found[key] for found in rounds)
                                           for key in ("rate", "p50", "p90", "p99", "p999")}}
            for name, peer, rounds in zip(("gateway", "nginx_auth_request"), running, results)}


def steady(bench, peer, rate, seconds):
    """Requests of one session at a steady rate."""
    requests = bench.place.of(peer.name) / "requests"
    requests.write_text(load.request(text.EMPTY, peer.headers))
    return load.client(bench, peer, requests, int(rate * seconds), rate)
