"""The main comparison: CPU for each forwarded request, of every peer; and local answers beside it."""

from dataclasses import replace

import peers
from bench import interleaved, summary, under_load, warm_up
from harness.command import say
from harness.process import all_cores

ME = "/api/v2/me"

# Who is compared where everything may run on every core.
UNPINNED = ["gateway", "gateway_logged", "nginx_lua", "nginx_lua_logged", "bare_pingora", "haproxy"]


def measure(bench, only):
    """All peers of `only`, or all there are."""
    say("forwarding: CPU of each proxy for a request that it forwards")
    return _compared(bench, _wanted(peers.ALL, only), bench.rounds)


def measure_unpinned(bench, only):
    """Those of `UNPINNED`, with proxy, load and upstream free to run on every core, as the kernel likes."""
    if len(all_cores()) < 2:
        say("unpinned: not measured, there is one core only")
        return None
    say("unpinned: the same with everything free to run on every core")
    place = bench.place.unpinned()
    with peers.upstream(place, bench.stream_bytes, all_cores()) as upstream:
        place.upstream = upstream.port
        free = replace(bench, place=place, upstream=upstream)
        return _compared(free, _wanted(UNPINNED, only), bench.few, all_cores())


def _wanted(names, only):
    return [name for name in names if not only or name in only]


def _compared(bench, names, rounds, on=None):
    running = [peers.ALL[name](bench.place) for name in names]
    results = interleaved(running, rounds, _warmed(bench, on))
    return {peer.name: {"title": peer.title, "work": peer.work, **summary(found)}
            for peer, found in zip(running, results)}


def _warmed(bench, on):
    warm = set()

    def one_round(peer):
        if peer.name not in warm:
            warm_up(peer)
            warm.add(peer.name)
        return under_load(bench, peer, on=on)
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
