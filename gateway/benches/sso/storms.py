"""What those who are signed in notice of forged JWTs, of one client and of many, beside as many requests of nobody."""

import signal
import subprocess
import time
from contextlib import contextmanager
from ipaddress import ip_address
from statistics import median

from cpu import credential
from harness import client, text
from harness.command import say
from issuer import ALGORITHMS
from place import EMPTY, REFUSED, TURNED_AWAY

CONNECTIONS = 64

# Seconds until a storm is at its height, and after which a token that was refused is forgotten.
RISE = 1
FORGOTTEN = 5

CALM, NOBODY = "none", "nobody"

# Storms of forged JWTs: by one client, which is turned away soon, and by one client for each.
FORGED = [(algorithm, of_many) for of_many in (False, True) for algorithm in ALGORITHMS]


def name_of(algorithm, of_many):
    """What such a storm is called in the results."""
    return f"{algorithm} of many" if of_many else algorithm


def measure(bench):
    """Latency of forwarded requests at a steady rate, in turn without a storm and with each."""
    storms = {NOBODY: text.request(text.FORWARDED)}
    # Each token is another, for as long as one that was refused is remembered.
    count = bench.storm * (FORGOTTEN + 1)
    for algorithm, of_many in FORGED:
        name = name_of(algorithm, of_many)
        say(f"{name}: forges {count:,} tokens")
        storms[name] = "".join(_forged(bench, algorithm, number if of_many else 0) for number in range(count))
    found = {name: [] for name in (CALM, *storms)}
    with bench.place.start_gateway(bench.provider, trusts=True) as gateway:
        # The keys are there.
        bench.place.load(gateway, text.request(text.FORWARDED, **credential(bench, gateway, "ES256")), EMPTY, 10)
        request = text.request(text.FORWARDED, **credential(bench, gateway, "session"))
        for number in range(bench.rounds):
            found[CALM].append(_forwarded(bench, gateway, request))
            for name, requests in storms.items():
                with _raging(bench, gateway, requests) as storm:
                    result = _forwarded(bench, gateway, request)
                found[name].append(result | {"storm": storm["per_second"]})
            say(f"  round {number + 1} of {bench.rounds}: " + ", ".join(
                f"{name} p99 {rounds[-1]['p99'] / 1e3:.2f} ms" for name, rounds in found.items()))
    return {"rate": bench.rate, "storm": bench.storm,
            "storms": {name: _summary(rounds, found[NOBODY]) for name, rounds in found.items()}}


def _forged(bench, algorithm, client):
    issuer = bench.provider.issuer
    return text.request(text.FORWARDED, Authorization=f"Bearer {issuer.forged(algorithm, issuer.claims())}",
                        X_Forwarded_For=str(ip_address("10.0.0.0") + client))


def _forwarded(bench, gateway, request):
    before = gateway.cpu()
    result = bench.place.load(gateway, request, EMPTY, bench.rate * bench.seconds, CONNECTIONS, rate=bench.rate)
    return result | {"cpu": (gateway.cpu() - before) / bench.seconds}


@contextmanager
def _raging(bench, gateway, requests):
    """A storm at its height beside whatever the block does; what came of it is in the dictionary that is given."""
    result = {}
    command = bench.place.client(gateway, requests, [REFUSED, TURNED_AWAY], connections=CONNECTIONS, rate=bench.storm)
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        time.sleep(RISE)
        yield result
    finally:
        process.send_signal(signal.SIGTERM)
        printed, error = process.communicate()
    result |= client.result(printed, error, process.returncode)


def _summary(rounds, beside):
    """Medians; the ratio is that of each round."""
    ratios = [one["p99"] / other["p99"] for one, other in zip(rounds, beside)]
    return {"p50_us": median(one["p50"] for one in rounds), "p99_us": median(one["p99"] for one in rounds),
            "ratio": median(ratios), "least": min(ratios), "most": max(ratios),
            "cpu": median(one["cpu"] for one in rounds),
            "per_second": median(one.get("storm", 0) for one in rounds)}
