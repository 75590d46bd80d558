"""What signing in costs, and what a storm of wrong sign-ins costs those who are signed in.

    python3 gateway/benches/signin                       everything, as tables in Markdown
    python3 gateway/benches/signin --write               and into docs/signin.md
    python3 gateway/benches/signin --rounds 1 --seconds 1 --sessions 10000    a quick look
    python3 gateway/benches/signin --parts hashing --workers 1,2
"""

import argparse
import os
import sys
import time
from pathlib import Path

# What both benchmarks use is beside them.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import forwarding
import hashing
import memory
import programs
import report
import sessions
from bench import Bench
from harness import command
from layout import layout
from place import Place

PARTS = {"hashing": hashing, "forwarding": forwarding, "memory": memory, "sessions": sessions}


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="signin", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement (3)")
    parser.add_argument("--seconds", type=int, default=3, help="of each round (3)")
    parser.add_argument("--workers", type=_numbers, default=[1, 2, 4], metavar="N,…",
                        help="numbers of hashing threads (1,2,4)")
    parser.add_argument("--storm", type=int, default=500, help="sign-ins at once (500)")
    parser.add_argument("--pause", type=int, default=1000, metavar="MS",
                        help="how long each of them waits after an answer (1000)")
    parser.add_argument("--pinning", choices=["apart", "shared"], default="apart",
                        help="gateway and load on cores of their own, or everybody on all (apart)")
    parser.add_argument("--sessions", type=int, default=1_000_000, help="live at once (1000000)")
    parser.add_argument("--parts", type=command.names(PARTS), default=list(PARTS), metavar="PART,…",
                        help="what to measure: " + ", ".join(PARTS))
    command.add_reporting(parser, "docs/signin.md and .svg")
    return parser.parse_args()


def _numbers(value):
    return [int(number) for number in value.split(",")]


def measure(options):
    """Builds, and takes all measurements that are asked for."""
    busy = os.getloadavg()[0]
    command.say(f"load average {busy:.1f}; builds the gateway, the limit and the load")
    with command.workplace("signin") as folder:
        place = Place(folder, programs.PROGRAMS.build(folder, "argon2_limit"), programs.PROGRAMS.find)
        began = time.monotonic()
        bench = Bench(place, options.rounds, options.seconds, options.workers, options.storm,
                      options.pause, layout(options.pinning), options.sessions)
        with place.start_upstream(bench.layout.others):
            results = {part: PARTS[part].measure(bench) for part in PARTS if part in options.parts}
    told = command.circumstances("signin", options, programs.versions(), busy, began)
    return results | told | {"rounds": options.rounds, "seconds": options.seconds}


command.main("signin", arguments(), measure, report)
