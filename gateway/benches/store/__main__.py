"""What sessions in Redis cost, and how soon what happens at one gateway counts at another.

    python3 gateway/benches/store                       everything, as tables in Markdown
    python3 gateway/benches/store --write               and into docs/store.md
    python3 gateway/benches/store --rounds 1 --requests 5000 --times 50 --sessions 10000    a quick look
"""

import argparse
import os
import sys
import time
from pathlib import Path

# What all benchmarks use is beside them.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import crowd
import elsewhere
import forwarding
import programs
import report
from harness import command
from place import Bench, Place

PARTS = {"forwarding": forwarding, "elsewhere": elsewhere, "crowd": crowd}


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="store", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21, help="of forwarded requests (21)")
    parser.add_argument("--requests", type=int, default=30_000, help="of each round (30000)")
    parser.add_argument("--times", type=int, default=1000,
                        help="sign-ins and sign-outs that are followed to another gateway (1000)")
    parser.add_argument("--sessions", type=int, default=1_000_000, help="in Redis at once (1000000)")
    parser.add_argument("--parts", type=command.names(PARTS), default=list(PARTS), metavar="PART,…",
                        help="what to measure: " + ", ".join(PARTS))
    command.add_reporting(parser, "docs/store.md")
    return parser.parse_args()


def measure(options):
    """Builds, and takes all measurements that are asked for."""
    busy = os.getloadavg()[0]
    command.say(f"load average {busy:.1f}; builds the gateway and the load")
    with command.workplace("store") as folder:
        place = Place(folder, programs.PROGRAMS.build(folder), programs.PROGRAMS.find)
        bench = Bench(place, options.rounds, options.requests, options.times, options.sessions)
        began = time.monotonic()
        with place.start_upstream():
            results = {part: PARTS[part].measure(bench) for part in PARTS if part in options.parts}
    told = command.circumstances("store", options, programs.versions(), busy, began)
    return results | told | {"busy_after": os.getloadavg()[0]}


command.main("store", arguments(), measure, report)
