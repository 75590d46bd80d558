"""How soon a provider's sign-out at one gateway counts at another."""

import time
from statistics import median

from harness.command import say
from harness.process import Failure
from provider import Browser

FORM = "application/x-www-form-urlencoded"
ME = "/api/v2/me"


def measure(bench):
    """From the moment that the provider says to A that a session is over, until B refuses it: milliseconds."""
    say(f"back-channel: {bench.times} sign-outs, followed to another gateway")
    place, provider, times, answers = bench.place, bench.provider, [], []
    with place.start_redis() as redis:
        store = f"redis://127.0.0.1:{redis.port}"
        with place.start_gateway(provider, True, store) as a, place.start_gateway(provider, True, store) as b:
            at_a, at_b = Browser(a, provider), Browser(b, provider)
            for number in range(bench.times):
                took, answer = _sign_out(provider, at_a, at_b, f"guest{number}")
                times.append(took)
                answers.append(answer)
    found = {"median_ms": median(times), "p99_ms": sorted(times)[len(times) * 99 // 100], "worst_ms": max(times),
             "answer_ms": median(answers), "times": bench.times}
    say("  " + ", ".join(f"{key} {value:.2f}" for key, value in found.items()))
    return found


def _sign_out(provider, at_a, at_b, who):
    """Milliseconds until B refuses, and until A has answered the provider."""
    session = at_a.sign_in(who)
    for browser in (at_a, at_b):
        _expect(browser.ask("GET", ME, Cookie=session)[0], 200)
    body = f"logout_token={provider.logout_token(who)}"
    began = time.perf_counter()
    status = at_a.ask("POST", "/gateway/oidc/bench/backchannel-logout", body, Content_Type=FORM)[0]
    answered = time.perf_counter()
    _expect(status, 200)
    while at_b.ask("GET", ME, Cookie=session)[0] != 401:
        if time.perf_counter() > began + 10:
            raise Failure("a session that the provider has ended goes on at the other gateway")
    return 1e3 * (time.perf_counter() - began), 1e3 * (answered - began)


def _expect(status, wanted):
    if status != wanted:
        raise Failure(f"{status} instead of {wanted}")
