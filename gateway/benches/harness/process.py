"""Servers as processes: started on given cores, always stopped, and asked what they cost."""

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

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


@contextmanager
def staying_on(on):
    """Keeps this program itself on the cores `on` meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, on)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


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
        self.spawn()
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # Its own process group, so that Ctrl-C reaches this program alone and nothing is left.
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

    def spawn(self):
        """Starts the process without waiting until it listens."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _wait(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        last = self.log.read_text(errors="replace")[-2000:]
        raise Failure(f"{self.name} did not start: {' '.join(self.command)}\n{last}")

    def pids(self):
        """The process and all that descend from it."""
        children = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (fields := _stat(entry)):
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        found = [self.process.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def cpu(self):
        """Seconds of CPU so far, user and system together, to the nanosecond.

        By the kernel's CPU clock of each process, which threads that have ended still count in;
        clock ticks are too coarse for short rounds.
        """
        return sum(time.clock_gettime(_cpu_clock(pid)) for pid in self.pids())

    def user_and_system(self):
        """Seconds of CPU so far, the user's and the kernel's apart, by clock ticks."""
        stats = [_stat(Path(f"/proc/{pid}")) for pid in self.pids()]
        user = sum(int(fields[11]) for fields in stats if fields)
        system = sum(int(fields[12]) for fields in stats if fields)
        return user / TICKS_PER_SECOND, system / TICKS_PER_SECOND

    def resident(self):
        """Bytes of memory that are resident, of all its processes."""
        return 1024 * sum(_kib(Path(f"/proc/{pid}/smaps_rollup"), "Rss:") for pid in self.pids())

    def forget_peak(self):
        """Lets `peak` count from now on."""
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak(self):
        """The most bytes that were ever resident, of all its processes."""
        return 1024 * sum(_kib(Path(f"/proc/{pid}/status"), "VmHWM:") for pid in self.pids())

    def pause(self):
        """Stops the clockwork of the process, while time goes on."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self):
        """Lets a paused process go on."""
        os.kill(self.process.pid, signal.SIGCONT)


def _cpu_clock(pid):
    """The clock that `clock_getcpuclockid` gives for a process: the scheduler's account of it."""
    return (~pid << 3) | 2


def _stat(folder):
    """The fields of a process's `stat` after its name; none if it is gone."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _kib(file, key):
    line = next(line for line in file.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1])
