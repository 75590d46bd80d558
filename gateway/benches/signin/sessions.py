"""A table of very many live sessions: what a session takes, and how long one more takes."""

from collections import Counter
from contextlib import contextmanager
from statistics import median

import configuration as text
import load
from harness.command import say
from harness.process import Failure

# Below the gateway's default of 64 sessions for each user.
PER_USER = 50
CONNECTIONS = 64
ONE_MORE = 1000


def measure(bench):
    """One gateway without sessions and one with very many, each signing in one more, in turn."""
    count = bench.sessions
    say(f"sessions: {count:,}")
    with _gateway(bench, "empty") as empty, _gateway(bench, "full") as full:
        filled = _fill(bench, full)
        found = {"empty": [], "full": []}
        for number in range(bench.rounds):
            found["empty"].append(_one_more(bench, empty))
            found["full"].append(_one_more(bench, full))
            say(f"  round {number + 1} of {bench.rounds}: " + ", ".join(
                f"{name} p99 {rounds[-1]['p99']} µs" for name, rounds in found.items()))
        _check_that_all_are_there(bench, full)
    return {"sessions": count, "users": _users(bench), **filled,
            **{name: _quantiles(rounds) for name, rounds in found.items()}}


def _users(bench):
    """So many that nobody has as many sessions as one user may have, those of the rounds included."""
    return max(-(-bench.sessions // PER_USER), ONE_MORE)


@contextmanager
def _gateway(bench, name):
    """A gateway with users enough, whose passwords are hashed as cheaply as can be."""
    room = bench.sessions + 2 * bench.rounds * ONE_MORE + 1000
    with bench.place.start_gateway(name, _users(bench), text.CHEAPEST_HASH, sessions=room,
                                   **text.CHEAPEST) as gateway:
        _one_more(bench, gateway)
        yield gateway


def _fill(bench, gateway):
    """Signs in until the table is full: bytes for each session, and how long it took."""
    before = gateway.resident()
    result = load.client(bench.place, gateway.port, text.right_sign_ins(_users(bench)),
                         [text.SIGNED_IN], CONNECTIONS, count=bench.sessions, seconds=3600)
    grown = gateway.resident() - before
    say(f"  signed in in {result['seconds']:.1f} s, {grown / bench.sessions:.0f} bytes a session")
    return {"bytes_per_session": grown / bench.sessions, "seconds": result["seconds"],
            "resident": before + grown}


def _check_that_all_are_there(bench, gateway):
    """Fails if a session has ended: the table would hold fewer than are told of."""
    with (gateway.folder / "audit.jsonl").open() as trail:
        events = Counter(line.split('"event":"', 1)[1].split('"', 1)[0] for line in trail)
    if events["signed_in"] < bench.sessions or len(events) > 1:
        raise Failure(f"the full table: {dict(events)}")


def _one_more(bench, gateway):
    """Sign-ins one after another."""
    return load.client(bench.place, gateway.port, text.right_sign_ins(_users(bench)),
                       [text.SIGNED_IN], 1, count=ONE_MORE, seconds=60)


def _quantiles(rounds):
    return {key: median(found[key] for found in rounds) for key in ("p50", "p99", "max")}
