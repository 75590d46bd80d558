"""The gateway's share of a sign-in by a provider."""

import time
from statistics import median

from harness.command import say
from provider import Browser


def measure(bench):
    """Milliseconds of its CPU from the button to the session, one sign-in after the other, and how long each takes with a
    provider that answers as fast as it can."""
    shares, times = [], []
    for _ in range(bench.rounds):
        with bench.place.start_gateway(bench.provider, sign_in=True) as gateway:
            browser = Browser(gateway, bench.provider)
            for number in range(10):
                browser.sign_in(f"first{number}")
            before = gateway.cpu()
            for number in range(bench.times):
                began = time.perf_counter()
                browser.sign_in(f"guest{number}")
                times.append(1e3 * (time.perf_counter() - began))
            shares.append(1e3 * (gateway.cpu() - before) / bench.times)
    found = {"cpu_ms": median(shares), "most_ms": max(shares), "median_ms": median(times), "times": bench.times}
    say(f"a sign-in: {found['cpu_ms']:.2f} ms of CPU, {found['median_ms']:.1f} ms in all")
    return found
