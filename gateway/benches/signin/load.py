"""Load by `client.c`, and what its answers must be."""

import signal
import subprocess
import time
from contextlib import contextmanager

from harness import client as program
from harness.process import Failure, all_cores

# Kinds of answers: a status, and what must be in it. One more is `text.SIGNED_IN`.
EMPTY = "204"
REFUSED = "401 unauthorized access"
BANNED = "429 too many sign-ins have failed"
OVERFLOWED = "429 too many sign-ins are under way"


def client(place, port, requests, kinds, connections, on=None, count=None, seconds=None, rate=None):
    """Sends the text `requests` again and again until the end: what came of it."""
    command = program.command(place.built["client"], port, place.file(requests), kinds, connections,
                              on or all_cores(), count, seconds, rate)
    done = subprocess.run(command, text=True, capture_output=True)
    return _result(done.stdout, done.stderr, done.returncode, kinds)


@contextmanager
def storm(place, port, requests, kinds, connections, on, pause=0):
    """A client beside whatever the block does; its result is in the dictionary that is given."""
    result = {}
    command = program.command(place.built["client"], port, place.file(requests), kinds, connections,
                              on or all_cores(), pause=pause)
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield result
    finally:
        process.send_signal(signal.SIGTERM)
        printed, error = process.communicate()
    result |= _result(printed, error, process.returncode, kinds)


def _result(printed, error, code, kinds):
    result = program.result(printed, error, code)
    if result["answers"] < 2:
        raise Failure("the load: there was hardly an answer; is the machine busy otherwise?")
    result["kinds"] = dict(zip(kinds, result["kinds"]))
    return result


def settle():
    """Lets what the gateway does after its last answer come to its end."""
    time.sleep(0.2)
