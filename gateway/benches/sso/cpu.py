"""CPU of a forwarded request: of somebody with a session, and of a program with a JWT, remembered or never seen before."""

import time
from statistics import median

from harness import text
from harness.command import say
from issuer import ALGORITHMS
from place import EMPTY

CONNECTIONS = 8

PROGRAM = {"User_Agent": "Telegraf/1.32.0 Go/1.23.0", "Accept_Encoding": "gzip"}


def measure(bench):
    """Of each algorithm: microseconds of CPU of a request, in turn; a new gateway each time, as tokens are remembered.

    Not instructions: callgrind's machine has none for SHA-256, by which tokens are remembered, and all others have."""
    found = {}
    for algorithm in ALGORITHMS:
        say(f"{algorithm}: signs {bench.requests:,} tokens")
        issuer = bench.provider.issuer
        tokens = [issuer.sign(algorithm, issuer.claims()) for _ in range(bench.requests)]
        cold = "".join(_request({"Authorization": f"Token {token}"}) for token in tokens)
        rounds = [_round(bench, algorithm, cold) for _ in range(bench.rounds)]
        found[algorithm] = {
            "session": median(one["session"] for one in rounds),
            "remembered": median(one["remembered"] for one in rounds),
            "cold": median(one["cold"] for one in rounds),
            "verification": median(one["cold"] - one["remembered"] for one in rounds),
            "ratio": median(one["remembered"] / one["session"] for one in rounds),
        }
        say("  " + ", ".join(f"{key} {value:.2f}" for key, value in found[algorithm].items()))
    return found | {"requests": bench.requests}


def credential(bench, gateway, kind):
    """The header that says who it is: a session, or a new token."""
    if kind == "session":
        return {"Cookie": bench.place.sign_in(gateway)[0]}
    return {"Authorization": f"Token {bench.provider.issuer.sign(kind, bench.provider.issuer.claims())}"}


def _request(headers):
    return text.request(text.FORWARDED, **headers, **PROGRAM)


def _round(bench, algorithm, cold):
    """Microseconds of a request."""
    with bench.place.start_gateway(bench.provider) as gateway:
        session = _request(credential(bench, gateway, "session"))
        remembered = _request(credential(bench, gateway, algorithm))
        # The keys are there, and so are connections.
        for request in (session, remembered):
            bench.place.load(gateway, request, EMPTY, 500, CONNECTIONS)
        return {"session": _cpu(bench, gateway, session), "remembered": _cpu(bench, gateway, remembered),
                "cold": _cpu(bench, gateway, cold)}


def _cpu(bench, gateway, requests):
    before = gateway.cpu()
    bench.place.load(gateway, requests, EMPTY, bench.requests, CONNECTIONS)
    # Lets what the gateway does after its last answer come to its end.
    time.sleep(0.1)
    return 1e6 * (gateway.cpu() - before) / bench.requests
