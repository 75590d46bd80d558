"""A Docker engine of the tests' own."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target"
PATIENCE = 120


class NoEngine(Exception):
    """This machine cannot run containers."""


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def wait_until(what, condition, patience=PATIENCE):
    end = time.monotonic() + patience
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.2)
    return result


def stop(process, how=signal.SIGTERM):
    """Ends a process that was started here."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Engine:
    """A Docker engine of this test's own, and the `docker` command that speaks to it."""

    def __init__(self, folder):
        # Paths of sockets must be short.
        self.folder = folder
        self.daemon = None
        self.environment = dict(os.environ)
        plugins = folder / "docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        shutil.copy(TARGET / "compose" / "docker-compose", plugins)
        self.environment |= {
            "DOCKER_HOST": f"unix://{folder}/sock",
            "DOCKER_CONFIG": str(folder / "docker"),
            # Debian's engine builds by itself; the plugin that others build with is no package there.
            "COMPOSE_BAKE": "false",
            "COMPOSE_PROJECT_NAME": "influx-gateway-test",
        }
        for name in ["DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "INFLUXDB_PASSWORD", "INFLUXDB_TOKEN"]:
            self.environment.pop(name, None)

    def start(self):
        if os.geteuid() != 0:
            raise NoEngine("only root can start one")
        log = self.folder / "log"
        for flags in [[], ["--storage-driver=vfs"]]:
            say("starting a Docker engine" + "".join(f" with {flag}" for flag in flags))
            command = ["dockerd", "--data-root", self.folder / "data", "--exec-root", self.folder / "exec"]
            command += ["--pidfile", self.folder / "pid", "-H", f"unix://{self.folder}/sock", *flags]
            with log.open("w") as out:
                self.daemon = subprocess.Popen(command, stdout=out, stderr=out)
            with contextlib.suppress(AssertionError):
                wait_until("the engine answers", lambda: self.answers() or self.daemon.poll() is not None, 30)
            if self.answers():
                return
            stop(self.daemon)
        raise NoEngine(" / ".join(log.read_text().splitlines()[-3:]) or "it does not answer")

    def answers(self):
        return subprocess.run(["docker", "version"], env=self.environment, capture_output=True).returncode == 0

    def docker(self, *arguments, **options):
        """Runs the command and returns what it prints; fails with what it says."""
        done = subprocess.run(
            ["docker", *map(str, arguments)],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
        )
        if done.returncode:
            raise AssertionError(f"docker {arguments[0]}: {done.stdout}\n{done.stderr}")
        return done.stdout.strip()

    def log(self, container):
        """What it has written, its standard error too."""
        done = subprocess.run(["docker", "logs", container], env=self.environment, text=True, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout

    def stop(self):
        if self.daemon:
            stop(self.daemon)
