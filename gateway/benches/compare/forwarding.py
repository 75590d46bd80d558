"""The main comparison: CPU for each forwarded request, of every peer; and local answers beside it."""

import peers
from bench import interleaved, summary, under_load, warm_up
from harness.command import say

ME = "/api/v2/me"


def measure(bench, only):
    """All peers of `only`, or all there are."""
    say("forwarding: CPU of each proxy for a request that it forwards")
    running = [start(bench.place) for name, start in peers.ALL.items() if not only or name in only]
    results = interleaved(running, bench.rounds, _warmed(bench))
    return {peer.name: {"title": peer.title, "work": peer.work, **summary(rounds)}
            for peer, rounds in zip(running, results)}


def _warmed(bench):
    warm = set()

    def one_round(peer):
        if peer.name not in warm:
            warm_up(peer)
            warm.add(peer.name)
        return under_load(bench, peer)
    return one_round


def measure_local(bench):
    """What the gateway answers by itself against what it forwards, by the same process."""
    say("local answers: GET /api/v2/me against a forwarded request")
    gateway = peers.gateway(bench.place, "local")

    def both(peer):
        return {"local": under_load(bench, peer, ME, forwarded=False),
                "forwarded": under_load(bench, peer)}
    [rounds] = interleaved([gateway], bench.few, both)
    return {kind: summary([found[kind] for found in rounds]) for kind in ("local", "forwarded")}
