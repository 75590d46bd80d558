"""What the gateway adds to real work: batches of lines and a long query, through it and directly, to InfluxDB; and
what nginx adds, which only forwards."""

from contextlib import ExitStack
from dataclasses import replace
from math import ceil
from statistics import median

import influxdb
import load
import peers
from harness.command import say
from harness.process import Failure, staying_on
from layout import cores

# Each round has so many turns of each way, and each turn so many requests.
TURNS = 4
COUNTS = {"batch": 10, "query": 3}
THROUGH = ["gateway", "nginx"]
WAYS = ["direct", *THROUGH]


def measure(bench):
    """The gateway as it is shipped, with its access log in a file, on a core of its own; InfluxDB and the client, which
    asks one thing at a time, on the other."""
    if not influxdb.PROGRAM.exists():
        say(f"work: not measured, {influxdb.PROGRAM} is not there (`make influxd`)")
        return None
    say("work: batches and a query, directly to InfluxDB and through the gateway")
    with ExitStack() as running:
        database = running.enter_context(influxdb.start(bench.place))
        influxdb.set_up(database.port)
        place = replace(bench.place, upstream=database.port)
        (place.of("work") / "token").write_text(influxdb.TOKEN)
        gateway = peers.gateway(place, "work", log=place.of("work") / "access.log", token="token")
        servers = {"direct": database, "gateway": gateway.server, "nginx": peers.nginx(place, name="work-nginx").server}
        for name in THROUGH:
            running.enter_context(servers[name])
        if load.ask(gateway.server.port, influxdb.QUERY, method="POST")[0] != 401:
            raise Failure("work: the gateway answers without credentials")
        headers = {"gateway": gateway.sign_in(gateway.server.port)}
        clients = {way: influxdb.Client(server.port, headers.get(way, influxdb.AUTHORIZED))
                   for way, server in servers.items()}
        running.enter_context(staying_on(cores()[1]))
        return _compare(bench.few, servers, clients)


def _compare(rounds, servers, clients):
    all_batches = rounds * TURNS * len(WAYS) * COUNTS["batch"]
    work = {"batch": _batches(all_batches), "query": _query}
    found = {kind: [] for kind in work}
    for number in range(rounds):
        for kind, one in work.items():
            found[kind].append(_round(servers, clients, one, COUNTS[kind]))
        say(f"  round {number + 1} of {rounds}: " + "; ".join(
            f"{kind} " + ", ".join(f"{way} {median(latest[-1]['times'][way]):,.0f} µs" for way in WAYS)
            for kind, latest in found.items()))
    _check_batches(clients["gateway"], all_batches)
    return {kind: _summary(each) for kind, each in found.items()}


def _round(servers, clients, one, count):
    """Microseconds of each, and the CPU for one: in short turns, and nobody is always the first.

    CPU counts while it is a server's own turn, or what it does while it waits would be charged to the few requests
    that it has.
    """
    times, used = {way: [] for way in WAYS}, dict.fromkeys(WAYS, 0)
    for turn in range(TURNS):
        for way in WAYS[turn % len(WAYS):] + WAYS[:turn % len(WAYS)]:
            before = servers[way].cpu()
            times[way] += [one(clients[way]) * 1e6 for _ in range(count)]
            used[way] += servers[way].cpu() - before
    return {"times": times, "cpu": {way: used[way] / (TURNS * count) * 1e6 for way in WAYS}}


def _batches(count):
    """One after the other, each with times of its own, made before it is timed."""
    made = (influxdb.batch(influxdb.END, number) for number in range(count))
    return lambda client: client.write(next(made))


def _check_batches(client, count):
    """Every line of them must be there."""
    end = influxdb.END + influxdb.STEP * count * influxdb.LINES // influxdb.HOSTS
    there = client.query(influxdb.END, end)[1]
    if there != count * influxdb.LINES:
        raise Failure(f"work: {count} batches of {influxdb.LINES} lines were written, {there} lines are there")


def _query(client):
    seconds, rows = client.query()
    if rows != influxdb.ROWS:
        raise Failure(f"work: a query has {rows} rows, not {influxdb.ROWS}")
    return seconds


def _summary(rounds):
    """Quantiles of all rounds together: those of InfluxDB alone, what comes on top, and by how much every other one of
    the direct ones differs from those between."""
    times = {way: [time for found in rounds for time in found["times"][way]] for way in WAYS}
    cpu = {way: median(found["cpu"][way] for found in rounds) for way in WAYS}
    summary = {"count": len(times["direct"]), "cpu": {**cpu, "noise": 0}}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        alone = _quantile(times["direct"], share)
        halves = [_quantile(times["direct"][first::2], share) for first in (0, 1)]
        summary[name] = {"direct": alone, "noise": abs(halves[0] - halves[1]),
                         **{way: _quantile(times[way], share) - alone for way in THROUGH}}
    return summary


def _quantile(times, share):
    return sorted(times)[max(0, ceil(share * len(times)) - 1)]
