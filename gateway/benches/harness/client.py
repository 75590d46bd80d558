"""`client.c`, which loads a server and looks at every answer: built, called, and what it found."""

import json
from pathlib import Path

from .process import Failure, pinned
from .system import run

SOURCE = Path(__file__).resolve().parent / "client.c"


def build(compiler, folder):
    """The program, in `folder`."""
    program = folder / "client"
    run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE])
    return program


def command(program, port, requests, kinds, connections, on, count=None, seconds=None, rate=None,
            pause=None, cookies=None):
    """What runs it on the cores `on`, with the requests of a file; `client.c` says what is what."""
    options = {"-p": port, "-f": requests, "-c": connections, "-n": count, "-t": seconds, "-r": rate,
               "-w": pause, "-o": cookies}
    given = [part for key, value in options.items() if value for part in (key, value)]
    return pinned([program, *given, *kinds], on)


def result(printed, error, code):
    """What it printed, unless it failed."""
    if code:
        raise Failure(f"the load: {error.strip() or f'ended with {code}'}")
    return json.loads(printed)
