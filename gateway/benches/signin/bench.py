"""What every measurement is given, and what is common to them."""

import sys
from dataclasses import dataclass

from layout import Layout
from place import Place


@dataclass
class Bench:
    """A place to start servers in, and how long to measure."""

    place: Place
    rounds: int
    seconds: int
    workers: list
    # Connections of a storm, and the milliseconds that each waits after an answer.
    storm: int
    pause: int
    layout: Layout
    sessions: int


def say(what):
    """A line of progress; standard output is for the results."""
    print(what, file=sys.stderr, flush=True)
