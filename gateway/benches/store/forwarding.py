"""CPU of the gateway for a forwarded request, by where its sessions are."""

from contextlib import ExitStack
from statistics import median

import configuration as text
import load
from harness.command import say
from place import MEMORY

SESSIONS = 64

# Name, keys of `[session]`; the first is what the others are compared with.
MODES = {MEMORY: "", "redis": "", "redis, no near cache": "near_cache = false"}


def measure(bench):
    """Rounds of requests with each store, in turn, so that whatever else the machine does meets all alike."""
    say(f"forwarding: {bench.requests:,} requests with {SESSIONS} sessions, by where those are")
    found = {mode: [] for mode in MODES}
    with ExitStack() as running:
        targets = {}
        for number, (mode, keys) in enumerate(MODES.items()):
            # One for each, that of memory idle, so that what it does is done for one gateway.
            redis = running.enter_context(bench.place.start_redis(f"redis-{number}"))
            store = MEMORY if mode == MEMORY else redis.url
            gateway = running.enter_context(bench.place.start_gateway(f"gateway-{number}", store, keys))
            cookies = load.sign_in(bench.place, gateway, 1, SESSIONS)
            targets[mode] = redis, gateway, "".join(map(text.forwarded, cookies))
            _round(bench, *targets[mode])
        for number in range(bench.rounds):
            for mode, target in targets.items():
                found[mode].append(_round(bench, *target))
            say(f"  round {number + 1} of {bench.rounds}: " + ", ".join(
                f"{mode} {rounds[-1]['per_cpu_second']:,.0f}" for mode, rounds in found.items()))
    return {mode: _summary(rounds, found[MEMORY]) for mode, rounds in found.items()}


def _round(bench, redis, gateway, requests):
    cpu, of_redis, commands = gateway.cpu(), redis.cpu(), redis.commands()
    result = load.client(bench.place, gateway, requests, load.FORWARDED, bench.requests)
    # Asking how many commands there were is one.
    commands = redis.commands() - commands - 1
    return {"per_cpu_second": bench.requests / (gateway.cpu() - cpu),
            "redis_us": 1e6 * (redis.cpu() - of_redis) / bench.requests,
            "commands": commands / bench.requests, "p50": result["p50"], "p99": result["p99"]}


def _summary(rounds, of_memory):
    """Medians; the ratio is that of each round."""
    ratios = [one["per_cpu_second"] / other["per_cpu_second"] for one, other in zip(rounds, of_memory)]
    middle = {key: median(one[key] for one in rounds) for key in rounds[0]}
    return {**middle, "ratio": median(ratios), "least": min(ratios), "most": max(ratios), "rounds": rounds}
