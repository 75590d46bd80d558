"""What a look-up costs among very many sessions, and what a session takes of Redis' memory."""

import random
from statistics import median

import configuration as text
import load
from harness.command import say
from harness.process import Failure

# Below the default of `session.max_sessions_per_user`.
PER_USER = 200
FEW = 1000
LOOK_UPS = 20_000
ROUNDS = 5

# So many times a session is used before anything is measured: of the first uses, Redis counts each.
WARM = 4


def measure(bench):
    """Look-ups without near cache, with few sessions in Redis and then with very many."""
    say(f"crowd: look-ups among {FEW:,} sessions, and among {bench.sessions:,}")
    place, users = bench.place, -(-bench.sessions // PER_USER)
    keys = "near_cache = false"
    with place.start_redis() as redis:
        with place.start_gateway("crowd", redis.url, keys, users) as gateway:
            empty = redis.memory()
            cookies = load.sign_in(place, gateway, users, FEW)
            found = {"few": {"sessions": FEW, **_look_ups(bench, redis, gateway, cookies)}}
            cookies += load.sign_in(place, gateway, users, bench.sessions - FEW)
            taken = redis.memory() - empty
            if redis.sessions() != bench.sessions:
                raise Failure(f"{redis.sessions()} sessions in Redis instead of {bench.sessions}")
            found["many"] = {"sessions": bench.sessions, **_look_ups(bench, redis, gateway, cookies)}
    found["bytes_per_session"] = taken / bench.sessions
    say(f"  {found['bytes_per_session']:.0f} bytes a session")
    return found


def _look_ups(bench, redis, gateway, cookies):
    """Forwarded requests with `FEW` sessions drawn by lot, each of which asks Redis: medians of the rounds."""
    requests = "".join(map(text.forwarded, random.sample(cookies, FEW)))
    load.client(bench.place, gateway, requests, load.FORWARDED, WARM * FEW)
    rounds = []
    for _ in range(ROUNDS):
        cpu, commands = redis.cpu(), redis.commands()
        result = load.client(bench.place, gateway, requests, load.FORWARDED, LOOK_UPS)
        commands = redis.commands() - commands - 1
        rounds.append({"redis_us": 1e6 * (redis.cpu() - cpu) / LOOK_UPS, "commands": commands / LOOK_UPS,
                       "p50": result["p50"], "p99": result["p99"]})
    found = {key: median(one[key] for one in rounds) for key in rounds[0]}
    say(f"  among {len(cookies):,}: {found['redis_us']:.1f} µs of Redis, {found['commands']:.1f} commands, "
        f"p50 {found['p50']} µs")
    return found
