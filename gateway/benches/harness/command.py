"""The command line: what every benchmark is asked in the same way, and how it ends."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from . import system
from .process import Failure


def say(what):
    """A line of progress; standard output is for the results."""
    print(what, file=sys.stderr, flush=True)


def names(known):
    """The type of an argument that is a list of names, all of them `known`."""
    def parse(value):
        given = value.split(",")
        if unknown := [name for name in given if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]}: not one of {', '.join(known)}")
        return given
    return parse


def add_reporting(parser, written):
    """Adds what is to become of the results to the options; `written` is what `--write` writes."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--save", metavar="FILE", help="keep the results, as JSON")
    parser.add_argument("--saved", metavar="FILE", help="report on kept results, measure nothing")
    parser.add_argument("--write", action="store_true", help=f"write {written} too")


def typed(name, is_written):
    """How to have the benchmark `name` measured again as now, for its page if that is written. Where its
    results were kept, and how they were printed, is nobody else's concern."""
    asked = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    asked.add_argument("--write", action="store_true")
    asked.add_argument("--json", action="store_true")
    asked.add_argument("--save")
    given = asked.parse_known_args()[1]
    if not is_written:
        return " ".join([f"python3 gateway/benches/{name}", *given])
    return f"make bench-{name} OPTIONS='{' '.join(given)}'" if given else f"make bench-{name}"


def circumstances(name, options, versions, busy, began):
    """When and where the benchmark `name` took place, which began at `began` with the load average `busy`."""
    return {
        "date": date.today().isoformat(), "machine": {**system.machine(), "busy": busy}, "versions": versions,
        "command": typed(name, options.write), "minutes": (time.monotonic() - began) / 60,
    }


@contextmanager
def workplace(name):
    """A folder that is removed in the end, open to servers that run as somebody else."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main(name, options, measure, report):
    """Measures, or reads what was measured, and reports."""
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
        sys.exit(f"{name}: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(json.dumps(results, indent=1) if options.json else report.markdown(results))
