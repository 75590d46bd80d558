"""The storms: wrong sign-ins from one client and from many, and as many other requests."""

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable

import configuration as text
import load

# How many different sign-ins a storm has before it repeats itself.
DIFFERENT = 50_000

ONE_CLIENT = ["203.0.113.7"]
MANY_CLIENTS = [f"198.51.{100 + number // 250}.{1 + number % 250}" for number in range(500)]

# Seconds until a storm has filled the line.
RISE = 1

# More failures than the throttle lets one client have.
ENOUGH = 60


@dataclass
class Storm:
    """Requests, and what they must be answered."""

    name: str
    title: str
    # Made anew each time: a name that came back too often would be banned, and not be hashed.
    requests: Callable[[], str]
    kinds: list

    def begin(self, bench, server):
        """Has failed so often already that one client is banned, and many are not."""
        load.client(bench.place, server.port, self.requests(), self.kinds, 4, count=ENOUGH, seconds=60)

    @contextmanager
    def raging(self, bench, server, on, pause):
        """This storm, at its height, beside whatever the block does."""
        with load.storm(bench.place, server.port, self.requests(), self.kinds, bench.storm, on,
                        pause) as result:
            time.sleep(RISE)
            yield result
        load.settle()


def all_storms():
    """Each storm, the last of which signs nobody in: what as many requests cost as such."""
    return [
        Storm("one", "wrong sign-ins from one address",
              lambda: text.wrong_sign_ins(DIFFERENT, ONE_CLIENT),
              [load.REFUSED, load.BANNED, load.OVERFLOWED]),
        # Nobody is banned here: 500 clients with 50 failures each are more than there is time for.
        Storm("many", "wrong sign-ins from 500 addresses",
              lambda: text.wrong_sign_ins(DIFFERENT, MANY_CLIENTS), [load.REFUSED, load.OVERFLOWED]),
        Storm("others", "no sign-ins: `GET /api/v2/me` without a session",
              lambda: text.request(text.ME), [load.REFUSED]),
    ]
