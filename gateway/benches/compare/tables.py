"""The results as tables in Markdown, one function for each measurement."""

from statistics import median

import goals
from harness.markdown import table

MIB = 1024 * 1024


def goals_met(results):
    """Every goal with its figure."""
    rows = []
    for goal in goals.ALL:
        figure = goal.result(results)
        shown = "–" if figure is None else _figure(figure, goal.unit)
        bound = "at least" if goal.at_least else "at most"
        rows.append([goal.what + goal.beside(results), f"{bound} {_figure(goal.limit, goal.unit)}", shown,
                     goal.verdict(results)])
    return table(["", "goal", ":measured", ""], rows)


def _figure(value, unit):
    if unit == "×":
        return f"{value:.2f}×"
    return f"{value:.1f} {unit}" if unit in ("µs", "%") else f"{value:,.0f} {unit}"


def forwarding(results):
    """CPU for each request, of every peer."""
    return _costs(results["forwarding"])


def unpinned(results):
    """The same where nobody has a core of its own."""
    return _costs(results["unpinned"])


def _costs(found):
    """From the cheapest to the dearest. Who writes a log is compared with the gateway that does."""
    rows = []
    for name, peer in sorted(found.items(), key=lambda item: item[1]["cpu_us"]):
        gateway = found.get("gateway_logged" if name.endswith("_logged") else "gateway")
        ratio = f"{goals.ratio(gateway, peer):.2f}" if gateway else "–"
        title = f"**{peer['title']}**" if name.startswith("gateway") else peer["title"]
        rows.append([title, f"{peer['cpu_us']:,.1f}",
                     f"{peer['least_us']:,.1f}–{peer['most_us']:,.1f}",
                     f"{100 * peer['kernel_share']:.0f} %", f"{peer['per_cpu_second']:,.0f}",
                     f"{peer['rps']:,.0f}", ratio, peer["work"]])
    return table(["", ":µs CPU a request", ":least–most", ":in the kernel",
                  ":requests a CPU second", ":requests a second", ":gateway / this", "its work"],
                 rows)


def local(results):
    """Local answers beside forwarded ones."""
    rows = [[name, f"{found['cpu_us']:.1f}", f"{found['least_us']:.1f}–{found['most_us']:.1f}",
             f"{found['per_cpu_second']:,.0f}"]
            for name, found in (("`GET /api/v2/me`", results["local"]["local"]),
                                ("forwarded", results["local"]["forwarded"]))]
    return table(["", ":µs CPU a request", ":least–most", ":requests a CPU second"], rows)


def https(results):
    """Handshakes and requests over TLS; the last column is in the terms of the goals."""
    names = {"http/1.1": "request, HTTP/1.1", "h2": "request, HTTP/2"}
    rows = []
    for kind, found in results["https"].items():
        for name, peer in found.items():
            title = f"**{peer['title']}**" if name == "gateway" else peer["title"]
            rows.append([names.get(kind, kind), title, f"{peer['cpu_us']:,.1f}",
                         f"{peer['least_us']:,.1f}–{peer['most_us']:,.1f}", f"{peer['per_cpu_second']:,.0f}",
                         f"{goals.ratio(peer, found['gateway']):.2f}×"])
    return table(["", "", ":µs CPU each", ":least–most", ":a CPU second", ":gateway's, against it"], rows)


def work(results):
    """What the gateway adds to real work, in µs and as a share of the whole; and what nginx adds."""
    names = {"batch": "a batch of 5,000 lines, compressed", "query": "a query of 100,000 rows"}
    sums = {"p50": "latency, p50", "p99": "latency, p99", "cpu": "CPU"}
    rows = [[f"{names[kind]} ({found['count']} times)", sums[key], f"{found[key]['direct']:,.0f}",
             f"{found[key]['gateway']:+,.0f}", f"{goals.added(found, key):+.2f} %", f"{found[key]['nginx']:+,.0f}",
             f"{found[key]['noise']:,.0f}" if found[key]["noise"] else "–"]
            for kind, found in results["work"].items() for key in sums]
    return table(["", "", ":InfluxDB alone, µs", ":the gateway adds", ":of the whole", ":nginx adds", ":noise, µs"], rows)


def latency(results):
    """Quantiles at a steady rate: medians of the rounds, and how far the rounds are apart."""
    def spread(times):
        return f"{median(times):,.0f} ({min(times):,.0f}–{max(times):,.0f})"
    rows = [[f"{percent} %", f"**{found['title']}**" if name == "gateway" else found["title"],
             f"{found['rate']:,.0f}", f"{median(found['p50']):,.0f}", spread(found["p99"]), spread(found["p999"])]
            for percent, peers in results["latency"]["loads"].items() for name, found in peers.items()]
    return table(["load", "", ":requests a second", ":p50 µs", ":p99 µs (least–most)", ":p99.9 µs (least–most)"], rows)


def threads(results):
    """One thread and two."""
    found = results["threads"]
    rows = []
    for title, one, two in (("influx-gateway", "threads-1", "threads-2"),
                            ("nginx", "workers-1", "workers-2")):
        rows.append([title, f"{found[one]['cpu_us']:.1f}", f"{found[two]['cpu_us']:.1f}",
                     f"{found[one]['rps']:,.0f}", f"{found[two]['rps']:,.0f}",
                     f"{goals.capacity(one, two)(results):.2f}×"])
    shared = ("\n\nHere the load and the upstream run on the cores of the two threads too, so the "
              "requests a second\nare those of the machine; the capacity is twice the ratio of the "
              "CPU a request." if found["cores_shared"] else "")
    return table(["", ":µs CPU, one", ":µs CPU, two", ":requests a second, one", ":two",
                  ":capacity of two"], rows) + shared


def sessions(results):
    """Many sessions, and their end."""
    found, expiry = results["sessions"], results.get("expiry")
    rows = [[f"{found[key]['sessions']:,} sessions, visited at random",
             f"{found[key]['cpu_us']:.1f} µs CPU a request"] for key in ("few", "many")]
    count = found["many"]["sessions"]
    rows += [["memory of a session, all told", f"{found['bytes_per_session']:,.0f} bytes"],
             [f"{count:,} sign-ins, with the cheapest Argon2id", f"{found['sign_in_seconds']:.0f} s"]]
    if expiry:
        rows += [[f"longest wait while {expiry['sessions']:,} sessions expire together",
                  f"{expiry['longest_ms']:.1f} ms"],
                 ["of it, the sign-in that comes first", f"{expiry['sign_in_ms']:.1f} ms"],
                 ["p99 in the five seconds from then on", f"{expiry['p99_ms']:.1f} ms"],
                 ["longest wait in five seconds before, when nothing expired",
                  f"{expiry['calm_ms']:.1f} ms"]]
    return table(["", ":"], rows)


def idle(results):
    """Memory of idle connections."""
    found = results["idle"]
    each = (found["resident"] - found["before"]) / found["connections"] / 1024
    rows = [["before", f"{found['before'] / MIB:.0f} MiB"],
            [f"{found['connections']:,} connections, each after one forwarded request",
             f"{found['resident'] / MIB:.0f} MiB"], ["one connection", f"{each:.1f} KiB"]]
    return table(["resident", ":"], rows)


def streams(results):
    """Long bodies."""
    rows = [[title, kind, f"{found['bytes_per_cpu_second'] / MIB:,.0f}",
             f"{found['grown'] / MIB:.1f} MiB"]
            for title, both in results["streams"].items() for kind, found in both.items()]
    return table(["", "", ":MiB a CPU second", ":memory gained"], rows)


def start(results):
    """Start and size."""
    found = results["start"]
    rows = [["start to first answer", f"{found['ms']:.0f} ms "
             f"({found['least_ms']:.0f}–{found['most_ms']:.0f})"],
            ["stripped program", f"{found['program_bytes'] / MIB:.1f} MiB"]]
    return table(["", ":"], rows)


def calls(results):
    """System calls for each request."""
    found = results["calls"]
    names = sorted({name for each in found.values() for name in each},
                   key=lambda name: -max(each.get(name, 0) for each in found.values()))
    rows = [[f"`{name}`", *(f"{each[name]:.2f}" if name in each else "–"
                            for each in found.values())] for name in names]
    rows.append(["all", *(f"{sum(each.values()):.2f}" for each in found.values())])
    return table(["a request", *(f":{title}" for title in found)], rows)


def profile(results):
    """Who owns the functions, and those at the top, by their own time."""
    found = results["profile"]
    owners = [[owner if owner in ("kernel", "C library") else f"`{owner}`", f"{share:.1f} %"]
              for owner, share in sorted(found["owners"].items(), key=lambda item: -item[1])
              if share >= 0.5]
    rows = [[f"{row['share']:.1f} %", "kernel" if row["kernel"] else "program",
             f"`{_short(row['name'])}`"] for row in found["functions"]]
    return (table(["owner", ":itself"], owners) + "\n\n"
            + table([":itself", "", "function"], rows))


def _short(name, most=96):
    return name if len(name) <= most else name[:most - 1] + "…"
