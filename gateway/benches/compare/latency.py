"""How long requests take at a steady rate, the same for all: at 50, 70 and 90 % of what the least of the
compared can do.

Times count from the moment at which a request was due, so that a stall is charged for everybody who had to
wait for it.
"""

from statistics import median

import configuration as text
import load
import peers
from bench import interleaved, under_load
from harness.command import say

# Percent of the least capacity.
LOADS = [50, 70, 90]

# More than other measurements have: tails are what differs most from round to round.
ROUNDS = 10
CAPACITY_ROUNDS = 3

QUANTILES = ["p50", "p99", "p999"]


def measure(bench):
    """The gateway, nginx with Lua and HAProxy, which do the same work."""
    say("latency: what each can do")
    place = bench.place
    running = [peers.gateway(place, "latency-gateway"), peers.nginx_lua(place, "latency-nginx_lua"),
               peers.haproxy(place)]
    capacities = interleaved(running, min(bench.rounds, CAPACITY_ROUNDS), lambda peer: under_load(bench, peer))
    least = min(median(found["rps"] for found in rounds) for rounds in capacities)
    return {"capacity": least,
            "loads": {str(percent): _at(bench, running, percent, least * percent / 100) for percent in LOADS}}


def _at(bench, running, percent, rate):
    say(f"latency: at {percent} % of the least, {rate:,.0f} requests a second")

    def one_round(peer):
        peer.check()
        found = steady(bench, peer, rate, bench.seconds)
        peer.check()
        return found
    # The first round fills pools and caches.
    results = [rounds[1:] for rounds in interleaved(running, 1 + min(bench.rounds, ROUNDS), one_round)]
    return {peer.name.removeprefix("latency-"): {
        "title": peer.title, "rate": rate, **{key: [found[key] for found in rounds] for key in QUANTILES}}
        for peer, rounds in zip(running, results)}


def steady(bench, peer, rate, seconds):
    """Requests of one session at a steady rate."""
    requests = bench.place.of(peer.name) / "requests"
    requests.write_text(load.request(text.EMPTY, peer.headers))
    return load.client(bench, peer, requests, int(rate * seconds), rate)
