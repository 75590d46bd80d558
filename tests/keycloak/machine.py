"""Programs of this machine, each started for the tests and stopped by them."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target"
PATIENCE = 60


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def check(name, found, wanted):
    if found != wanted:
        raise AssertionError(f"{name}: {found!r} instead of {wanted!r}")


def wait_until(what, condition, patience=PATIENCE):
    """What `condition` returned at last; it is asked ten times a second."""
    end = time.monotonic() + patience
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.1)
    return result


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """One program, and all that it starts; its output is in `log`."""

    def __init__(self, command, log, environment=None):
        self.log = Path(log)
        with self.log.open("ab") as out:
            self.child = subprocess.Popen(
                [str(word) for word in command], env={**os.environ, **(environment or {})}, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def runs(self):
        return self.child.poll() is None

    def stop(self, patience=30):
        """Asks it and all that it has started to end, and then has them end."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.child.pid, how)
                wait_until("the process is gone", self.is_gone, patience)
            except (ProcessLookupError, AssertionError):
                pass

    def is_gone(self):
        """Whether nothing of its group is left: a shell may end before what it has started."""
        self.child.poll()
        try:
            os.killpg(self.child.pid, 0)
            return False
        except ProcessLookupError:
            return True

    def tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def ask(port, method, path, body=None, headers=None, host="127.0.0.1"):
    """Status, headers and body of an answer, on a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=120)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def answers(port, path, status):
    """Whether something answers so already."""
    try:
        return ask(port, "GET", path)[0] == status
    except (OSError, http.client.HTTPException):
        return False


class Influxd:
    """A real InfluxDB 2 with the pages of the tests, set up; and an API token for each of `names`."""

    OPERATOR = "operator-token-that-nobody-else-has"

    def __init__(self, folder, names):
        self.port = free_port()
        flags = {"http-bind-address": f"127.0.0.1:{self.port}", "bolt-path": folder / "bolt",
                 "sqlite-path": folder / "sqlite", "engine-path": folder / "engine", "log-level": "error",
                 "assets-path": ROOT / "tests/clients/javascript/ui"}
        command = [TARGET / "influxd/influxd", "--reporting-disabled", *(f"--{key}={value}" for key, value in flags.items())]
        environment = {"HOME": str(folder), "INFLUXD_CONFIG_PATH": str(folder)}
        self.process = Process(command, folder / "influxd.log", environment)
        wait_until("InfluxDB serves", lambda: answers(self.port, "/api/v2/setup", 200))
        self.org = self.call("/api/v2/setup", username="root", password="correct horse", org="home",
                             bucket="weather", token=self.OPERATOR)["org"]["id"]
        self.tokens = {name: self.token(name) for name in names}

    def call(self, path, **body):
        headers = {"Authorization": f"Token {self.OPERATOR}", "Content-Type": "application/json"}
        status, _, answer = ask(self.port, "POST", path, json.dumps(body), headers)
        if not 200 <= status < 300:
            raise AssertionError(f"{path}: {status} {answer}")
        return json.loads(answer)

    def token(self, name):
        """One of its own for all of the organisation's buckets, and for the organisation."""
        kinds = [{"type": "buckets", "orgID": self.org}, {"type": "orgs", "id": self.org}]
        permissions = [{"action": action, "resource": kind} for action in ("read", "write") for kind in kinds]
        return self.call("/api/v2/authorizations", orgID=self.org, description=name, permissions=permissions)["token"]


class Gateway:
    """A gateway with the configuration in `folder`."""

    def __init__(self, folder, port):
        self.folder, self.port, self.base = folder, port, f"http://127.0.0.1:{port}"
        program = os.environ.get("GATEWAY_PROGRAM", TARGET / "debug/influx-gateway")
        # What is said of sessions and providers, and of nothing else.
        environment = {"RUST_LOG": "info"}
        command = [program, "run", "--config", folder / "gateway.toml"]
        self.process = Process(command, folder / "gateway.log", environment)
        wait_until("the gateway serves", lambda: answers(port, "/api/v2/me", 401) or not self.process.runs())
        if not self.process.runs():
            raise AssertionError(f"the gateway has ended:\n{self.process.tail()}")

    def ask(self, method, path, body=None, **headers):
        """Status and body; `_` in a header's name stands for `-`."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        status, _, answer = ask(self.port, method, path, body, headers)
        return status, answer

    def audit(self):
        """What its audit trail has."""
        lines = (self.folder / "audit.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def log(self):
        return self.process.log.read_text(errors="replace")
