"""What a second thread brings, and a second worker of nginx beside it: the machine's own limit."""

import peers
from bench import interleaved, summary, under_load
from harness.command import say
from harness.process import all_cores


def measure(bench):
    """The gateway with one and two threads, nginx with one and two workers."""
    cores = all_cores()
    if len(cores) < 2:
        say("threads: not measured, there is one core only")
        return None
    say("threads: one and two, of the gateway and of nginx")
    place = bench.place
    running = [
        peers.gateway(place, "threads-1"), peers.gateway(place, "threads-2", cores[:2], threads=2),
        peers.nginx(place, 1, "workers-1"), peers.nginx(place, 2, "workers-2", cores[:2]),
    ]
    results = interleaved(running, bench.few, lambda peer: under_load(bench, peer))
    found = {peer.name: summary(rounds) for peer, rounds in zip(running, results)}
    found["cores_shared"] = len(cores) < 4
    return found
