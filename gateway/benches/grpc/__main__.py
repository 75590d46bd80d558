"""What gRPC costs: the rate of a long query, the CPU of small ones beside nginx, and the memory of calls that wait.

    python3 gateway/benches/grpc                       everything, as tables in Markdown
    python3 gateway/benches/grpc --write               and into docs/influxdb3.md
    python3 gateway/benches/grpc --rounds 1 --queries 5 --calls 200 --idle 1000    a quick look
    python3 gateway/benches/grpc --parts rate,small
"""

import argparse
import os
import sys
import time
from pathlib import Path

# What all benchmarks use is beside them.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import idle
import programs
import queries
import report
from harness import command
from place import Bench, Place

PARTS = {"rate": queries.rate, "small": queries.small, "idle": idle.measure}


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="grpc", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (5)")
    parser.add_argument("--queries", type=int, default=50, help="of 200,000 rows, in each round (50)")
    parser.add_argument("--calls", type=int, default=5000, help="small queries, in each round (5000)")
    parser.add_argument("--idle", type=int, default=10_000, help="calls that wait (10000)")
    parser.add_argument("--program", metavar="FILE", type=Path, help="a gateway that was built elsewhere, in release mode")
    parser.add_argument("--parts", type=command.names(PARTS), default=list(PARTS), metavar="PART,…",
                        help="what to measure: " + ", ".join(PARTS))
    command.add_reporting(parser, "docs/influxdb3.md")
    return parser.parse_args()


def measure(options):
    """Builds, and takes all measurements that are asked for."""
    busy = os.getloadavg()[0]
    command.say(f"load average {busy:.1f}; builds the gateway")
    with command.workplace("grpc") as folder:
        place = Place(folder, programs.PROGRAMS.build(folder, gateway=options.program), programs.PROGRAMS.find)
        bench = Bench(place, options.rounds, options.queries, options.calls, options.idle)
        began = time.monotonic()
        results = {part: PARTS[part](bench) for part in PARTS if part in options.parts}
    told = command.circumstances("grpc", options, programs.versions(), busy, began)
    return results | told | {"rounds": options.rounds}


command.main("grpc", arguments(), measure, report)
