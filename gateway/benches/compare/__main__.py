"""What the gateway costs, beside proxies that do its work and proxies that do none.

    python3 gateway/benches/compare                       everything, as tables in Markdown
    python3 gateway/benches/compare --write               and into docs/performance.md
    python3 gateway/benches/compare --rounds 1 --seconds 1 --sessions 10000    a quick look
    python3 gateway/benches/compare --parts forwarding --only gateway,nginx
"""

import argparse
import sys
import time
from datetime import date
from pathlib import Path

# What both benchmarks use is beside them.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import connections
import forwarding
import https
import inside
import latency
import peers
import programs
import report
import sessions
import start
import streams
import threads
import work
from bench import Bench
from harness import command, system

PARTS = ["forwarding", "unpinned", "local", "https", "work", "latency", "threads", "sessions", "expiry", "idle", "streams",
         "start", "calls", "profile"]


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="of each proxy (15)")
    parser.add_argument("--seconds", type=int, default=1, help="of each round (1)")
    parser.add_argument("--sessions", type=int, default=1_000_000, help="live at once (1000000)")
    parser.add_argument("--stream-mib", type=int, default=1024, help="of each stream (1024)")
    parser.add_argument("--only", type=command.names(peers.ALL), default=[], metavar="PROXY,…",
                        help="proxies to compare: " + ", ".join(peers.ALL))
    parser.add_argument("--parts", type=command.names(PARTS), default=PARTS, metavar="PART,…",
                        help="what to measure: " + ", ".join(PARTS))
    parser.add_argument("--programs", metavar="FOLDER", type=Path,
                        help="programs that were built elsewhere, as target/release")
    command.add_reporting(parser, "docs/performance.md")
    options = parser.parse_args()
    if "expiry" in options.parts and "sessions" not in options.parts:
        parser.error("--parts: expiry needs sessions, which says how long signing in takes")
    return options


def measure(options):
    """Builds, starts the upstream, and takes all measurements that are asked for."""
    programs.check()
    with command.workplace("compare") as folder:
        versions = programs.versions()
        command.say("builds the gateway and the two Pingoras")
        place = peers.Place(folder, programs.build(folder / "programs", options.programs))
        began = time.monotonic()
        with peers.upstream(place, options.stream_mib << 20) as upstream:
            place.upstream = upstream.port
            bench = Bench(place, upstream, options.rounds, options.seconds, options.sessions,
                          options.stream_mib << 20)
            results = _take(bench, options)
        minutes = (time.monotonic() - began) / 60
    results |= {
        "date": date.today().isoformat(), "machine": system.machine(), "versions": versions,
        "command": "make bench" if options.write else " ".join(["compare", *sys.argv[1:]]),
        "options": {"rounds": options.rounds, "seconds": options.seconds,
                    "minutes": minutes},
    }
    return results


def _take(bench, options):
    results = {}
    steps = {
        "forwarding": lambda: forwarding.measure(bench, options.only),
        "unpinned": lambda: forwarding.measure_unpinned(bench, options.only),
        "local": lambda: forwarding.measure_local(bench),
        "https": lambda: https.measure(bench),
        "work": lambda: work.measure(bench),
        "latency": lambda: latency.measure(bench),
        "threads": lambda: threads.measure(bench),
        "sessions": lambda: sessions.measure(bench),
        "expiry": lambda: sessions.measure_expiry(bench, results["sessions"]["sign_in_seconds"]),
        "idle": lambda: connections.measure(bench),
        "streams": lambda: streams.measure(bench),
        "start": lambda: start.measure(bench),
        "calls": lambda: inside.measure_calls(bench),
        "profile": lambda: inside.measure_profile(bench),
    }
    for part in PARTS:
        if part in options.parts:
            results[part] = steps[part]()
    return results


command.main("compare", arguments(), measure, report)
