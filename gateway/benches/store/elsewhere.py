"""How soon what happens at one gateway counts at another."""

import time
from statistics import median

import configuration as text
from harness.command import say
from harness.process import Failure
from load import Connection


def measure(bench):
    """Sign-ins at A that are used at B, and sign-outs at B until A refuses."""
    say(f"elsewhere: {bench.times} sign-ins and sign-outs, followed to another gateway")
    place, sign_ins, sign_outs, at_once = bench.place, [], [], 0
    with place.start_redis() as redis:
        with place.start_gateway("a", redis.url) as a, place.start_gateway("b", redis.url) as b:
            at_a, at_b = Connection(a), Connection(b)
            for _ in range(bench.times):
                took, session = _first_use(at_a, at_b)
                sign_ins.append(took)
                took, refusals = _last_use(at_a, at_b, session)
                sign_outs.append(took)
                at_once += refusals
    found = {"sign_in": _summary(sign_ins), "sign_out": _summary(sign_outs),
             "at_once": at_once / bench.times, "times": bench.times}
    say("  " + ", ".join(f"{key} {found[key]['median']:.0f} µs, at worst {found[key]['worst']:.0f}"
                         for key in ("sign_in", "sign_out")))
    return found


def _first_use(at_a, at_b):
    """From the answer to a sign-in at A to the answer to its first use at B: microseconds, and the cookie."""
    session = _expect(at_a, text.sign_in(0), 204).cookie()
    answered = time.perf_counter()
    _expect(at_b, text.request(text.ME, Cookie=session), 200)
    return 1e6 * (time.perf_counter() - answered), session


def _last_use(at_a, at_b, session):
    """From the answer to a sign-out at B to A's first refusal, both having the session at hand: microseconds,
    and whether A refused at once."""
    me = text.request(text.ME, Cookie=session)
    for connection in (at_a, at_b):
        _expect(connection, me, 200)
    _expect(at_b, text.request(text.SIGN_OUT, "POST", Cookie=session), 204)
    answered, asked = time.perf_counter(), 1
    while at_a.ask(me).status != 401:
        asked += 1
        if time.perf_counter() > answered + 10:
            raise Failure("a session that was signed out goes on at the other gateway")
    return 1e6 * (time.perf_counter() - answered), asked == 1


def _expect(connection, request, status):
    answer = connection.ask(request)
    if answer.status != status:
        raise Failure(f"{request.splitlines()[0]} is answered {answer.status} instead of {status}")
    return answer


def _summary(times):
    return {"median": median(times), "p99": sorted(times)[len(times) * 99 // 100], "worst": max(times)}
