"""Many live sessions: what they cost in CPU and memory, and what happens when they all expire."""

import base64
import random
import time
from statistics import median

import configuration as text
import load
import peers
from bench import interleaved
from harness.command import say
from latency import steady

FEW = 1000

# Below the gateway's default of 64 sessions for each user.
PER_USER = 50

# How many requests a second are asked while sessions expire, and for how long.
ASKED = 2000
WATCHED = 5


def measure(bench):
    """One gateway with few sessions and one with many, in turn."""
    say(f"sessions: {FEW:,} and {bench.sessions:,}")
    few, many = (_crowded(bench, count) for count in (FEW, bench.sessions))
    grown = {}

    def one_round(peer):
        if peer.name not in grown:
            grown[peer.name] = _fill(bench, peer)
        return _visit(bench, peer, grown[peer.name]["cookies"])
    results = interleaved([few, many], bench.few, one_round)
    costs = [[found["cpu_us"] for found in rounds] for rounds in results]
    return {
        "few": {"sessions": FEW, "cpu_us": median(costs[0]), "rounds": costs[0]},
        "many": {"sessions": bench.sessions, "cpu_us": median(costs[1]), "rounds": costs[1]},
        "bytes_per_session": grown[many.name]["bytes"] / bench.sessions,
        "sign_in_seconds": grown[many.name]["seconds"],
    }


def measure_expiry(bench, seconds_to_fill):
    """The longest wait while all sessions but one expire together.

    The gateway is stopped for as long as sessions live: when it goes on, all of them have expired
    at once, which no clock of the outside could bring about more exactly.
    """
    idle = int(1.3 * seconds_to_fill) + 10
    say(f"expiry: {bench.sessions:,} sessions at once, after {idle} s")
    peer = _crowded(bench, bench.sessions, "expiry", idle=f"{idle}s")
    with peer:
        _fill(bench, peer)
        calm = steady(bench, peer, ASKED, WATCHED)
        peer.server.pause()
        time.sleep(idle + 1)
        peer.server.resume()
        began = time.monotonic()
        peer.headers = peer.sign_in(peer.server.port)
        first = time.monotonic() - began
        result = steady(bench, peer, ASKED, WATCHED)
    return {"sessions": bench.sessions, "sign_in_ms": first * 1e3, "p99_ms": result["p99"] / 1e3,
            "calm_ms": calm["max"] / 1e3, "longest_ms": max(first * 1e3, result["max"] / 1e3)}


def _crowded(bench, count, name="sessions", **settings):
    """A gateway with enough users for `count` sessions, none of which is open yet."""
    names = [text.USER] + [f"user{number}" for number in range(-(-count // PER_USER))]
    peer = peers.gateway(bench.place, f"{name}-{count}", users=names, **settings)
    return peer


def _fill(bench, peer):
    """Signs everybody in; their cookies, and the bytes and seconds that it took."""
    count = int(peer.name.split("-")[1])
    folder = bench.place.of(peer.name)
    with (folder / "signin").open("w") as file:
        for number in range(-(-count // PER_USER)):
            user = base64.b64encode(f"user{number}:{text.PASSWORD}".encode()).decode()
            file.write(load.request("/api/v2/signin", {"Authorization": f"Basic {user}"}, "POST"))
    _visit(bench, peer, [peer.headers["Cookie"]])
    before = peer.server.resident()
    result = load.client(bench, peer, folder / "signin", count, cookies=folder / "cookies")
    grown = peer.server.resident() - before
    say(f"  {peer.name}: signed in in {result['seconds']:.1f} s")
    return {"cookies": (folder / "cookies").read_text().split(), "bytes": grown,
            "seconds": result["seconds"]}


def _visit(bench, peer, cookies):
    """Forwarded requests, each with a cookie that is drawn by lot."""
    file = bench.place.of(peer.name) / "visits"
    drawn = random.choices(cookies, k=bench.seconds * 15_000)
    file.write_text("".join(load.request(text.EMPTY, {"Cookie": cookie}) for cookie in drawn))
    cpu = peer.server.cpu()
    load.client(bench, peer, file, len(drawn))
    return {"cpu_us": (peer.server.cpu() - cpu) / len(drawn) * 1e6}
