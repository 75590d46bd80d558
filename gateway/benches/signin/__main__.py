"""What signing in costs, and what a storm of wrong sign-ins costs those who are signed in.

    python3 gateway/benches/signin                       everything, as tables in Markdown
    python3 gateway/benches/signin --write               and into docs/signin.md
    python3 gateway/benches/signin --rounds 1 --seconds 1 --sessions 10000    a quick look
    python3 gateway/benches/signin --parts hashing --workers 1,2
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import forwarding
import hashing
import memory
import programs
import report
import sessions
from bench import Bench, say
from layout import layout
from place import Place
from process import Failure

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
    parser.add_argument("--parts", type=_parts, default=list(PARTS), metavar="PART,…",
                        help="what to measure: " + ", ".join(PARTS))
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--save", metavar="FILE", help="keep the results, as JSON")
    parser.add_argument("--saved", metavar="FILE", help="report on kept results, measure nothing")
    parser.add_argument("--write", action="store_true", help="write docs/signin.md and .svg too")
    return parser.parse_args()


def _numbers(value):
    return [int(number) for number in value.split(",")]


def _parts(value):
    names = value.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]}: not one of {', '.join(PARTS)}")
    return names


def measure(options):
    """Builds, and takes all measurements that are asked for."""
    machine = programs.machine()
    say(f"load average {machine['busy']:.1f}; builds the gateway, the limit and the load")
    folder = Path(tempfile.mkdtemp(prefix="signin-"))
    folder.chmod(0o755)
    try:
        place = Place(folder, programs.build(folder))
        began = time.monotonic()
        bench = Bench(place, options.rounds, options.seconds, options.workers, options.storm,
                      options.pause, layout(options.pinning), options.sessions)
        with place.start_upstream(bench.layout.others):
            results = {part: PARTS[part].measure(bench) for part in PARTS if part in options.parts}
    finally:
        shutil.rmtree(folder)
    return results | {
        "date": date.today().isoformat(), "machine": machine,
        "versions": programs.versions(), "command": _command(options),
        "rounds": options.rounds, "seconds": options.seconds,
        "minutes": (time.monotonic() - began) / 60,
    }


def _command(options):
    given = [argument for argument in sys.argv[1:] if argument != "--write"]
    if not options.write:
        return " ".join(["python3 gateway/benches/signin", *given])
    return f"make bench-signin OPTIONS='{' '.join(given)}'" if given else "make bench-signin"


def main():
    """Measures, or reads what was measured, and reports."""
    options = arguments()
    # So that everything is stopped, as with Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if options.saved:
            results = json.loads(Path(options.saved).read_text())
        else:
            results = measure(options)
        if options.save:
            Path(options.save).write_text(json.dumps(results, indent=1))
        if options.write:
            report.write(results)
    except Failure as failure:
        sys.exit(f"signin: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(json.dumps(results, indent=1) if options.json else report.markdown(results))


main()
