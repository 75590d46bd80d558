"""What those who are signed in notice of a storm of wrong sign-ins."""

import http.client
from statistics import median

import configuration as text
import load
from harness.command import say
from storms import all_storms

CONNECTIONS = 64
CALM = "calm"


def measure(bench):
    """Latency at half load with storms that pause, and throughput with storms that do not.

    In turn, so that whatever else the machine does meets all of them alike.
    """
    where = bench.layout
    say(f"forwarding: without and with {bench.storm} wrong sign-ins at once; {where.words()}")
    storms = all_storms()
    with bench.place.start_gateway("forwarding", on=where.gateway) as gateway:
        request = text.request(text.FORWARDED, Cookie=_cookie(gateway.port))
        for storm in storms:
            storm.begin(bench, gateway)
        target = Target(bench, gateway, request, where.others)
        target.as_many_as_it_can(1)
        most = median(target.as_many_as_it_can(bench.seconds)["per_second"]
                      for _ in range(bench.rounds))
        say(f"  {most:,.0f} requests a second at most")
        paced = _rounds(bench, storms, target, bench.pause, lambda: target.at(most / 2))
        flooded = _rounds(bench, storms, target, 0,
                          lambda: target.as_many_as_it_can(bench.seconds))
    return {
        "most": most, "rate": most / 2, "layout": where.words(), "workers": where.workers,
        "has_room": where.has_room, "connections": bench.storm, "pause_ms": bench.pause,
        "titles": {storm.name: storm.title for storm in storms},
        "paced": {name: _latency(rounds, paced[CALM]) for name, rounds in paced.items()},
        "flooded": {name: _throughput(rounds) for name, rounds in flooded.items()},
    }



class Target:
    """The gateway, and the request of somebody who is signed in."""

    def __init__(self, bench, gateway, request, on):
        self.bench, self.gateway, self.request, self.on = bench, gateway, request, on

    def as_many_as_it_can(self, seconds):
        """Forwarded requests, the next when one is answered."""
        return load.client(self.bench.place, self.gateway.port, self.request, [load.EMPTY],
                           CONNECTIONS, self.on, seconds=seconds)

    def at(self, rate):
        """Forwarded requests at a steady rate."""
        return load.client(self.bench.place, self.gateway.port, self.request, [load.EMPTY],
                           CONNECTIONS, self.on, count=int(rate * self.bench.seconds),
                           seconds=20 * self.bench.seconds, rate=rate)


def _cookie(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", text.SIGN_IN, headers={"Authorization": text.basic(text.name(0))})
    response = connection.getresponse()
    if response.status != 204:
        raise load.Failure(f"signing in is answered {response.status}")
    return response.headers["Set-Cookie"].split(";")[0]


def _rounds(bench, storms, target, pause, measured):
    """What was measured without a storm and with each, in each round."""
    found = {CALM: [], **{storm.name: [] for storm in storms}}
    for number in range(bench.rounds):
        found[CALM].append({"load": measured()})
        for storm in storms:
            with storm.raging(bench, target.gateway, target.on, pause) as storm_result:
                load_result = measured()
            found[storm.name].append({"load": load_result, "storm": storm_result})
        say(f"  round {number + 1} of {bench.rounds}: " + ", ".join(
            f"{name} {_shown(rounds[-1]['load'], pause)}" for name, rounds in found.items()))
    return found


def _shown(result, pause):
    return f"p99 {result['p99'] / 1e3:.2f} ms" if pause else f"{result['per_second']:,.0f}/s"


def _latency(rounds, calm):
    """Medians; the ratio is that of each round."""
    ratios = [one["load"]["p99"] / other["load"]["p99"] for one, other in zip(rounds, calm)]
    return {
        "p50_us": median(one["load"]["p50"] for one in rounds),
        "p99_us": median(one["load"]["p99"] for one in rounds),
        "ratio": median(ratios), "least": min(ratios), "most": max(ratios),
        "storm": _storm(rounds), "rounds": [one["load"] for one in rounds],
    }


def _throughput(rounds):
    return {"per_second": median(one["load"]["per_second"] for one in rounds),
            "storm": _storm(rounds), "rounds": [one["load"] for one in rounds]}


def _storm(rounds):
    """How a storm was answered, each kind a second."""
    if "storm" not in rounds[0]:
        return None
    storms = [one["storm"] for one in rounds]
    seconds = sum(storm["seconds"] for storm in storms)
    return {kind: sum(storm["kinds"][kind] for storm in storms) / seconds
            for kind in storms[0]["kinds"]}
