"""What a stranger has after `git clone`, and what docker-compose.yml tells them to paste."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess

from engine import ROOT, say, wait_until

# For images and programs that are built, and for a first start.
LONG_PATIENCE = 1800


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clone(folder):
    """What a stranger has after `git clone`, with other ports published, as those may be taken: the ports of the
    gateway and of the balancer."""
    files = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    for file in filter(None, files):
        source = ROOT / file
        if source.exists():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / file)
    compose = folder / "docker-compose.yml"
    text, ports = compose.read_text(), []
    for published in (8086, 8088):
        line = f'"127.0.0.1:{published}:8086"'
        assert text.count(line) == 1
        ports.append(free_port())
        text = text.replace(line, f'"127.0.0.1:{ports[-1]}:8086"')
    compose.write_text(text)
    return ports


def pasted():
    """The indented lines at the head of docker-compose.yml."""
    head = (ROOT / "docker-compose.yml").read_text().split("services:")[0]
    lines = re.findall(r"^#   (.*)$", head, re.M)
    assert lines[-1] == "docker compose up", lines
    return "\n".join(lines)


def pasted_for_scale():
    """The same with those before the services of the profile `scale` in the place of the last."""
    body = (ROOT / "docker-compose.yml").read_text().split("services:", 1)[1]
    own = body.split("\n  balancer:")[0]
    lines = pasted().splitlines()[:-1] + re.findall(r"^  #   (.*)$", own, re.M)
    assert lines[-1] == "docker compose --profile scale up balancer", lines
    return "\n".join(lines)


def pasted_to_observe():
    """The same of the profile `observe`, without Grafana, which is no package of Debian's."""
    body = (ROOT / "docker-compose.yml").read_text().split("services:", 1)[1]
    own = body.split("\n  prometheus:")[0].rsplit("\n\n", 1)[1]
    lines = pasted().splitlines()[:-1] + re.findall(r"^  #   (.*)$", own, re.M)
    assert lines[-1] == "docker compose --profile observe up", lines
    return "\n".join(lines) + " gateway prometheus"


class Stack:
    """`docker compose up`, pasted into a shell in the foreground."""

    def __init__(self, engine, folder, port, script):
        self.engine, self.folder, self.port = engine, folder, port
        self.log = folder / "compose.log"
        with self.log.open("a") as out:
            # Pasted with the shell's own secrets, if any, left out, and with what they are printed.
            self.process = subprocess.Popen(
                ["bash", "-c", script], cwd=folder, env=engine.environment,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )
        self.wait()

    def wait(self):
        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"docker compose up ended:\n{self.tail()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.ask("GET", "/api/v2/me")[0] == 401
        try:
            wait_until("the gateway answers", answers, LONG_PATIENCE)
        except AssertionError:
            say(self.tail())
            raise

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer
        finally:
            connection.close()

    def compose(self, *arguments):
        return self.engine.docker("compose", *arguments, cwd=self.folder)

    def containers(self, service):
        return self.compose("ps", "--all", "--quiet", service).split()

    def container(self, service):
        [container] = self.containers(service)
        return container

    def secret(self, name):
        """As whoever pasted it reads it."""
        lines = (self.folder / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)[name]

    def leave(self):
        """Ctrl-C."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(90)
