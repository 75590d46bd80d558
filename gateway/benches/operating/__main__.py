"""What it costs a gateway to be watched: metrics and the access log of a request, and /metrics itself.

    python3 gateway/benches/operating                   both, as tables in Markdown
    python3 gateway/benches/operating --write           and into docs/metrics.md
    python3 gateway/benches/operating --sessions 1000   a quick look
"""

import argparse
import sys
from datetime import date
from pathlib import Path

# What all benchmarks use is beside them.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import instructions
import programs
import report
import scrape
from harness import command, system
from place import Place


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="operating", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000, help="whose instructions are counted (2000)")
    parser.add_argument("--sessions", type=int, default=100_000, help="while /metrics is read (100000)")
    parser.add_argument("--scrapes", type=int, default=500, help="of /metrics (500)")
    command.add_reporting(parser, "docs/metrics.md")
    return parser.parse_args()


def measure(options):
    """Builds, and takes all measurements."""
    command.say("builds the gateway and the load")
    with command.workplace("operating") as folder:
        place = Place(folder, programs.build(folder), programs.PROGRAMS.find)
        with place.start_upstream():
            results = {"instructions": instructions.measure(place, options.requests),
                       "scrape": scrape.measure(place, options.sessions, options.scrapes)}
    return results | {"date": date.today().isoformat(), "machine": system.machine(),
                      "versions": programs.versions(),
                      "command": command.typed("operating", options.write)}


command.main("operating", arguments(), measure, report)
