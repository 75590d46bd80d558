"""How much of the machine's own Argon2 comes out as sign-ins."""

from contextlib import ExitStack
from statistics import median

import configuration as text
import load
from harness.command import say
from harness.process import all_cores, pinned
from harness.system import run

# Sign-ins in flight: always more than there are workers, always fewer than may wait.
IN_FLIGHT = 32
USERS = 256


def measure(bench):
    """For each number of workers: sign-ins a second, and hashes a second in as many plain threads.

    In turn, so that whatever else the machine does meets both alike.
    """
    say("hashing: sign-ins a second, and the machine's own limit")
    found = {workers: [] for workers in bench.workers}
    with ExitStack() as running:
        gateways = {workers: running.enter_context(
            bench.place.start_gateway(f"workers-{workers}", USERS, hash_workers=workers))
            for workers in bench.workers}
        for gateway in gateways.values():
            _sign_ins(bench, gateway, 1)
        for number in range(bench.rounds):
            for workers, gateway in gateways.items():
                found[workers].append(_both(bench, workers, gateway))
            say(f"  round {number + 1} of {bench.rounds}: " + ", ".join(
                f"{workers}: {rounds[-1]['sign_ins']:.1f} of {rounds[-1]['limit']:.1f}"
                for workers, rounds in found.items()))
    return {str(workers): _summary(rounds) for workers, rounds in found.items()}


def _both(bench, workers, gateway):
    # In a session of its own, as the gateway is: the scheduler shares out the time by sessions.
    command = ["setsid", bench.place.built["argon2_limit"], workers, bench.seconds]
    limit = run(pinned(command, all_cores()))
    sign_ins = _sign_ins(bench, gateway, bench.seconds)
    return {"limit": float(limit), "sign_ins": sign_ins}


def _sign_ins(bench, gateway, seconds):
    requests = text.right_sign_ins(USERS)
    result = load.client(bench.place, gateway.port, requests, [text.SIGNED_IN], IN_FLIGHT,
                         seconds=seconds)
    load.settle()
    return result["per_second"]


def _summary(rounds):
    """Medians; the ratio is that of each round, whose two halves met the same machine."""
    ratios = [found["sign_ins"] / found["limit"] for found in rounds]
    return {
        "sign_ins": median(found["sign_ins"] for found in rounds),
        "limit": median(found["limit"] for found in rounds),
        "ratio": median(ratios), "least": min(ratios), "most": max(ratios), "rounds": rounds,
    }
