"""Servers as processes: started on given cores, always stopped, and asked how much memory they take."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

# Seconds that a server may take to start, which grows with its users, and to stop by itself.
PATIENCE = 120
FAREWELL = 5


class Failure(Exception):
    """Something that the reader of the message can mend, or must know."""


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def all_cores():
    """The cores that may be used."""
    return sorted(os.sched_getaffinity(0))


def pinned(command, on):
    """`command` on the cores `on`, told to end when this process does."""
    listed = ",".join(map(str, on))
    return ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", listed, *map(str, command)]


class Server:
    """A server that runs for as long as its `with` block."""

    def __init__(self, name, command, port, on, log, environment=None):
        self.name, self.port, self.log = name, port, Path(log)
        self.command = pinned(command, on)
        self.environment = {**os.environ, **(environment or {})}
        self.process = None

    def __enter__(self):
        with self.log.open("ab") as log:
            # Its own process group, so that Ctrl-C reaches this program alone and nothing is left.
            self.process = subprocess.Popen(
                self.command, env=self.environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        group = self.process.pid
        self.process.terminate()
        try:
            self.process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def _wait(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        last = self.log.read_text(errors="replace")[-2000:]
        raise Failure(f"{self.name} did not start: {' '.join(self.command)}\n{last}")

    def resident(self):
        """Bytes of memory that are resident."""
        return self._kib("smaps_rollup", "Rss:") * 1024

    def forget_peak(self):
        """Lets `peak` count from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak(self):
        """The most bytes that were resident at any moment."""
        return self._kib("status", "VmHWM:") * 1024

    def _kib(self, file, key):
        lines = Path(f"/proc/{self.process.pid}/{file}").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(key)).split()[1])
