"""What the gateway is meant to reach, and how far it is from that."""

from dataclasses import dataclass
from statistics import median
from typing import Callable

import tails

MIB = 1024 * 1024


@dataclass
class Goal:
    """One figure, and what it must not exceed, or must reach."""

    what: str
    limit: float
    unit: str
    figure: Callable[[dict], float]
    at_least: bool = False
    # What must be known to judge the figure.
    beside: Callable[[dict], str] = lambda results: ""
    # By how much the figure may differ from itself, where that is a lot.
    noise: Callable[[dict], float] = lambda results: 0

    def result(self, results):
        """The figure; none if it was not measured."""
        try:
            return self.figure(results)
        except (KeyError, TypeError):
            return None

    def verdict(self, results):
        """Met, or by how much it is missed; and whether that says anything."""
        figure = self.result(results)
        if figure is None:
            return "not measured"
        distance = self.limit / figure if self.at_least else figure / self.limit
        verdict = "met" if distance <= 1 else f"missed by {100 * (distance - 1):.0f} %"
        noise = self.noise(results)
        is_noise = abs(figure - self.limit) < noise
        return f"{verdict}, within the noise ({noise:.2f} {self.unit})" if is_noise else verdict


def ratio(one, other):
    """How often the CPU of `other` goes into that of `one`: the median over the rounds, each of which
    compares what was measured one right after the other."""
    return median(mine / its for mine, its in zip(one["rounds"], other["rounds"]))


def cost_against(peer, part="forwarding"):
    """CPU of a request through the gateway, as a multiple of the peer's."""
    return lambda results: ratio(results[part]["gateway"], results[part][peer])


def _as_shipped(results):
    found = results["forwarding"]
    return ratio(found["gateway_logged"], found["nginx_lua_logged"])


def _line(results):
    """What a line of the access log takes, by the medians of the rounds' differences."""
    found = results["forwarding"]
    with_log, without = (found[name]["rounds"] for name in ("gateway_logged", "gateway"))
    return median(mine - its for mine, its in zip(with_log, without))


def _local(results):
    return ratio(results["local"]["forwarded"], results["local"]["local"])


def _over_tls(kind):
    """How many the gateway does in a CPU second, as a multiple of what nginx does."""
    return lambda results: ratio(results["https"][kind]["nginx"], results["https"][kind]["gateway"])


def added(found, key):
    """What the gateway adds to a kind of work, in percent of the whole."""
    return 100 * found[key]["gateway"] / (found[key]["direct"] + found[key]["gateway"])


def _more_of(results, key):
    """The kind of work to which the gateway adds the greater share."""
    return max(results["work"].values(), key=lambda found: added(found, key))


def _added_at_most(key):
    return lambda results: added(_more_of(results, key), key)


def _work_noise(key):
    def figure(results):
        found = _more_of(results, key)[key]
        return 100 * found["noise"] / found["direct"]
    return figure


def capacity(one, two):
    """How much more two cores' worth of a proxy can do than one's."""
    return lambda results: 2 * ratio(results["threads"][one], results["threads"][two])


def _limit_of_machine(results):
    if not results.get("threads"):
        return ""
    return f" (nginx here: {capacity('workers-1', 'workers-2')(results):.2f}×)"


def _calm(results):
    """The longest wait when nothing expires is the machine's."""
    if not results.get("expiry"):
        return ""
    return f" (before: {results['expiry']['calm_ms']:.0f} ms)"


def _many(results):
    return ratio(results["sessions"]["few"], results["sessions"]["many"])


def _stream(kind):
    def figure(results):
        streams = results["streams"]
        return (streams["influx-gateway"][kind]["bytes_per_cpu_second"]
                / streams["nginx"][kind]["bytes_per_cpu_second"])
    return figure


def _growth(results):
    return max(found["grown"] for found in results["streams"]["influx-gateway"].values()) / MIB


ALL = [
    Goal("CPU of a forwarded request as shipped, with its access log in a file, against nginx with Lua and its default "
         "log", 1.0, "×", _as_shipped),
    Goal("of it, a line of the access log", 3, "µs", _line),
    Goal("CPU of a forwarded request without access log, against stock Pingora", 1.0, "×",
         cost_against("stock_pingora")),
    Goal("the same, against bare Pingora", 1.05, "×", cost_against("bare_pingora")),
    Goal("the same, against nginx `auth_request`", 0.9, "×", cost_against("nginx_auth_request")),
    Goal("the same, against nginx with Lua", 1.15, "×", cost_against("nginx_lua")),
    Goal("the same, against HAProxy", 1.15, "×", cost_against("haproxy")),
    Goal("the same, against Apache: well under", 0.8, "×", cost_against("apache")),
    Goal("the same, against vmauth: well under", 0.8, "×", cost_against("vmauth")),
    Goal("unpinned, without access log, against bare Pingora", 1.05, "×", cost_against("bare_pingora", "unpinned")),
    Goal("the same, against nginx with Lua", 1.15, "×", cost_against("nginx_lua", "unpinned")),
    Goal("requests a CPU second, `GET /api/v2/me` against forwarded ones", 1.5, "×", _local, True),
    Goal("full handshakes a CPU second, against nginx", 1.0, "×", _over_tls("full handshake"), True),
    Goal("resumed handshakes a CPU second, against nginx", 1.0, "×", _over_tls("resumed handshake"), True),
    Goal("requests a CPU second over HTTPS, HTTP/1.1, against nginx, which only forwards", 0.9, "×",
         _over_tls("http/1.1"), True),
    Goal("the same, HTTP/2", 0.9, "×", _over_tls("h2"), True),
    *(Goal(f"{name} that the gateway adds to a batch of 5,000 lines, and to a query of 100,000 rows: the greater share",
           2, "%", _added_at_most(key), noise=_work_noise(key))
      for key, name in (("p50", "latency (p50)"), ("p99", "latency (p99)"), ("cpu", "CPU"))),
    *(Goal(f"{name} at 70 % of capacity, against the better of nginx with Lua and HAProxy", 1.0, "×", tails.against(key),
           beside=tails.told(key), noise=tails.noise(key)) for key, name in (("p99", "p99"), ("p999", "p99.9"))),
    Goal("requests a CPU second, many sessions against 1,000", 0.9, "×", _many, True),
    Goal("capacity of two threads against one", 1.8, "×", capacity("threads-1", "threads-2"), True,
         _limit_of_machine),
    Goal("resident with 10,000 idle connections", 150, "MiB",
         lambda results: results["idle"]["resident"] / MIB),
    Goal("memory of a session", 512, "bytes",
         lambda results: results["sessions"]["bytes_per_session"]),
    Goal("longest wait while all sessions expire together", 20, "ms",
         lambda results: results["expiry"]["longest_ms"], beside=_calm),
    Goal("bytes a CPU second of a write, against nginx", 0.9, "×", _stream("write"), True),
    Goal("bytes a CPU second of a query result, against nginx", 0.9, "×", _stream("query"), True),
    Goal("memory gained by a stream", 16, "MiB", _growth),
    Goal("start to first answer", 100, "ms", lambda results: results["start"]["ms"]),
    Goal("stripped program", 20, "MiB", lambda results: results["start"]["program_bytes"] / MIB),
]
