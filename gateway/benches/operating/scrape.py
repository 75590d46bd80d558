"""How long a look at /metrics takes, with very many sessions."""

import time
from http.client import HTTPConnection
from statistics import median, quantiles

from harness.command import say
from harness.process import Failure
from place import PER_USER


def measure(place, sessions, scrapes):
    """Milliseconds of each of so many looks, over one connection."""
    say(f"/metrics with {sessions:,} sessions")
    users = -(-sessions // PER_USER)
    with place.start_gateway("crowd", "[log]\naccess = false", users) as gateway:
        cookies = place.sign_in(gateway, users, sessions)
        connection = HTTPConnection("127.0.0.1", gateway.admin)
        times, size = [], 0
        for _ in range(scrapes):
            began = time.perf_counter()
            connection.request("GET", "/metrics")
            answer = connection.getresponse().read()
            times.append(1000 * (time.perf_counter() - began))
            size = len(answer)
    if f"\ninflux_gateway_sessions {len(cookies)}\n".encode() not in answer:
        raise Failure("/metrics does not say how many sessions there are")
    found = {"sessions": len(cookies), "scrapes": scrapes, "bytes": size, "median": median(times),
             "p99": quantiles(times, n=100)[-1], "worst": max(times)}
    say(f"  {found['median']:.2f} ms, worst {found['worst']:.2f}")
    return found
