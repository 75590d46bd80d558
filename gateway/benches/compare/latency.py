"""How long requests take at 70 % of what each proxy can do, at a steady rate.

What it can do is measured anew before each round: on a machine that is slower a minute later, what was
70 % would be more than all of it, and the wait without end.
"""

from statistics import median

import configuration as text
import load
import peers
from bench import interleaved, under_load
from harness.command import say
from layout import cores

SHARE = 0.7


def measure(bench):
    """The gateway and nginx with `auth_request`, each at 70 % of its own most."""
    say("latency: at 70 % of the most that each can do")
    running = [peers.gateway(bench.place, "latency"), peers.nginx_auth_request(bench.place)]

    def one_round(peer):
        rate = SHARE * under_load(bench, peer)["rps"]
        return {"rate": rate, **steady(bench, peer, rate, 2 * bench.seconds)}
    results = interleaved(running, bench.few, one_round)
    return {peer.name: {"title": peer.title,
                        **{key: median(found[key] for found in rounds)
                           for key in ("rate", "p50", "p90", "p99", "p999")}}
            for peer, rounds in zip(running, results)}


def steady(bench, peer, rate, seconds):
    """Requests of one session at a steady rate."""
    requests = bench.place.of(peer.name) / "requests"
    requests.write_text(load.request(text.EMPTY, peer.headers))
    return load.client(bench.place.built["client"], peer.server.port, requests,
                       int(rate * seconds), cores()[1], rate)
