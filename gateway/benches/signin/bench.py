"""What every measurement is given."""

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
