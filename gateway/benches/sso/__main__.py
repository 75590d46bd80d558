"""What single sign-on costs: JWTs, sign-ins by a provider, and how soon a provider's sign-out counts.

    python3 gateway/benches/sso                       everything, as tables in Markdown
    python3 gateway/benches/sso --write               and into docs/single-sign-on.md
    python3 gateway/benches/sso --rounds 1 --requests 1000 --times 20    a quick look
    python3 gateway/benches/sso --parts cpu,storms
"""

import argparse
import os
import sys
import time
from pathlib import Path

# What all benchmarks use is beside them.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import backchannel
import cpu
import programs
import report
import signins
import storms
from harness import command
from issuer import Issuer
from place import Bench, Place
from provider import Provider

PARTS = {"cpu": cpu, "storms": storms, "signins": signins, "backchannel": backchannel}


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sso", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement (3)")
    parser.add_argument("--seconds", type=int, default=5, help="of each storm (5)")
    parser.add_argument("--requests", type=int, default=2000, help="whose CPU is measured, in each round (2000)")
    parser.add_argument("--times", type=int, default=200, help="sign-ins, and sign-outs that are followed (200)")
    parser.add_argument("--storm", type=int, default=5000, help="forged JWTs a second (5000)")
    parser.add_argument("--rate", type=int, default=1000, help="forwarded requests a second beside them (1000)")
    parser.add_argument("--parts", type=command.names(PARTS), default=list(PARTS), metavar="PART,…",
                        help="what to measure: " + ", ".join(PARTS))
    parser.add_argument("--program", metavar="FILE", help="a gateway that is built already, to try the benchmark itself")
    command.add_reporting(parser, "docs/single-sign-on.md")
    return parser.parse_args()


def measure(options):
    """Builds, and takes all measurements that are asked for."""
    busy = os.getloadavg()[0]
    command.say(f"load average {busy:.1f}; builds the gateway and the load")
    with command.workplace("sso") as folder:
        place = Place(folder, programs.PROGRAMS.build(folder, gateway=options.program), programs.PROGRAMS.find)
        with Provider(Issuer(folder)) as provider, place.start_upstream():
            bench = Bench(place, provider, options.rounds, options.seconds, options.requests, options.times,
                          options.storm, options.rate)
            began = time.monotonic()
            results = {part: PARTS[part].measure(bench) for part in PARTS if part in options.parts}
    told = command.circumstances("sso", options, programs.versions(), busy, began)
    return results | told | {"rounds": options.rounds}


command.main("sso", arguments(), measure, report)
