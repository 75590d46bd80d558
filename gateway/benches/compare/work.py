"""What the gateway adds to real work: batches of lines and a long query, through it and directly, to InfluxDB."""

from dataclasses import replace
from math import ceil
from statistics import median

import influxdb
import load
import peers
from bench import Bench
from harness.command import say
from harness.process import Failure, staying_on
from layout import cores

# Of each round, each both directly and through the gateway.
BATCHES, QUERIES = 40, 12


def measure(bench: Bench):
    """The gateway as it is shipped, with its access log in a file, on a core of its own; InfluxDB and the client, which
    asks one thing at a time, on the other."""
    if not influxdb.PROGRAM.exists():
        say(f"work: not measured, {influxdb.PROGRAM} is not there (`make influxd`)")
        return None
    say("work: batches and a query, directly to InfluxDB and through the gateway")
    with influxdb.start(bench.place) as database:
        influxdb.set_up(database.port)
        place = replace(bench.place, upstream=database.port)
        (place.of("work") / "token").write_text(influxdb.TOKEN)
        gateway = peers.gateway(place, "work", log=place.of("work") / "access.log", token="token")
        with gateway.server as server, staying_on(cores()[1]):
            if load.ask(server.port, influxdb.QUERY, method="POST")[0] != 401:
                raise Failure("work: the gateway answers without credentials")
            clients = [influxdb.Client(database.port, {"Authorization": f"Token {influxdb.TOKEN}"}),
                       influxdb.Client(server.port, gateway.sign_in(server.port))]
            return _compare(bench, database, server, clients)


def _compare(bench, database, server, clients):
    kinds = {"batch": (_batches(BATCHES * bench.few), BATCHES), "query": (_queries(), QUERIES)}
    found = {kind: [] for kind in kinds}
    for number in range(bench.few):
        for kind, (work, count) in kinds.items():
            found[kind].append(_round(database, server, clients, work, count))
        say(f"  round {number + 1} of {bench.few}: " + ", ".join(
            f"{kind} {median(rounds[-1]['direct']):,.0f} µs directly, {median(rounds[-1]['through']):,.0f} through"
            for kind, rounds in found.items()))
    _check_batches(clients, 2 * BATCHES * bench.few)
    return {kind: _summary(rounds) for kind, rounds in found.items()}


def _round(database, server, clients, work, count):
    """Microseconds of each, and the CPU for one: by turns, so that neither is always the first."""
    times = [[], []]
    used = [database.cpu(), server.cpu()]
    for number in range(count):
        for way in (0, 1) if number % 2 else (1, 0):
            times[way].append(work(clients[way]) * 1e6)
    used = [database.cpu() - used[0], server.cpu() - used[1]]
    return {"direct": times[0], "through": times[1], "database_us": used[0] / (2 * count) * 1e6,
            "gateway_us": used[1] / count * 1e6}


def _batches(count):
    """One after the other, each with times of its own, made before they are timed."""
    made = (influxdb.batch(influxdb.END, number) for number in range(2 * count))

    def one(client):
        return client.write(next(made))
    return one


def _check_batches(clients, count):
    """Every line of them must be there."""
    end = influxdb.END + influxdb.STEP * count * influxdb.LINES // influxdb.HOSTS
    there = clients[1].query(influxdb.END, end)[1]
    if there != count * influxdb.LINES:
        raise Failure(f"work: {count} batches of {influxdb.LINES} lines were written, {there} lines are there")


def _queries():
    def one(client):
        seconds, rows = client.query()
        if rows != influxdb.ROWS:
            raise Failure(f"work: a query has {rows} rows, not {influxdb.ROWS}")
        return seconds
    return one


def _summary(rounds):
    """Quantiles of all rounds together, and by how much every other direct one differs from those between."""
    direct, through = ([time for found in rounds for time in found[way]] for way in ("direct", "through"))
    quantiles = {}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        quantiles[name] = {"direct": _quantile(direct, share),
                           "added": _quantile(through, share) - _quantile(direct, share),
                           "noise": abs(_quantile(direct[::2], share) - _quantile(direct[1::2], share))}
    return {**quantiles, "count": len(direct),
            "cpu": {"direct": median(found["database_us"] for found in rounds),
                    "added": median(found["gateway_us"] for found in rounds), "noise": 0}}


def _quantile(times, share):
    return sorted(times)[max(0, ceil(share * len(times)) - 1)]
