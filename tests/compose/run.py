"""docker-compose.yml on a real Docker engine, as pasted: `make test-compose` calls this.

The engine has folders and a socket of its own. No registry is asked: the images that `Dockerfile` and
`docker-compose.yml` name are made here, of Debian's packages, of the machine's toolchain and of a real
InfluxDB. Where no engine can start, its test says so and is counted as not run.

With --build, the program too is built in the image, which takes some ten minutes.
"""

import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMAGES = Path(__file__).resolve().parent / "images"
TARGET = ROOT / "target"
PATIENCE = 120
# For images and programs that are built, and for a first start.
LONG_PATIENCE = 1800


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

    def stop(self):
        if self.daemon:
            stop(self.daemon)


def names():
    """The images that a stranger's engine fetches: Rust's, Debian's and InfluxDB's."""
    rust, debian = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    influxdb = re.search(r"^ +image: (influxdb\S*)", (ROOT / "docker-compose.yml").read_text(), re.M)
    return rust, debian, influxdb[1]


def copy_toolchain(folder):
    """The toolchain that is in use here, without its documentation."""
    def ask(*command):
        return Path(subprocess.check_output(command, text=True).strip())
    sysroot = ask("rustc", "--print", "sysroot")
    skipped = shutil.ignore_patterns("share", "rustdoc*", "*clippy*", "rust-analyzer*", "miri*")
    shutil.copytree(sysroot, folder / "toolchain", ignore=skipped, symlinks=True)


def make_images(engine, builds):
    rust, debian, influxdb = names()
    say(f"making {debian}")
    engine.docker("import", TARGET / "compose" / "debian.tar", debian)
    try:
        engine.docker("run", "--rm", debian, "true")
    except AssertionError as refused:
        raise NoEngine(str(refused).strip()) from refused

    def make(name, dockerfile, files):
        say(f"making {name}")
        with tempfile.TemporaryDirectory() as context:
            for file in files:
                if callable(file):
                    file(Path(context))
                else:
                    shutil.copy(file, context)
            engine.docker("build", "--tag", name, "--file", IMAGES / dockerfile, context)

    program = TARGET / "debug" / "influx-gateway"
    if builds:
        make(rust, "rust-full.Dockerfile", [copy_toolchain, "/etc/ssl/certs/ca-certificates.crt"])
    else:
        make(rust, "rust.Dockerfile", [program, IMAGES / "rust-cargo"])
    files = [TARGET / "influxd" / name for name in ("influxd", "influx")]
    make(influxdb, "influxdb.Dockerfile", [*files, IMAGES / "influxdb-entrypoint"])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clone(folder):
    """What a stranger has after `git clone`, with another port published, as 8086 may be taken."""
    files = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    for file in filter(None, files):
        source = ROOT / file
        if source.exists():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / file)
    compose = folder / "docker-compose.yml"
    text, port = compose.read_text(), free_port()
    published = '"127.0.0.1:8086:8086"'
    assert text.count(published) == 1
    compose.write_text(text.replace(published, f'"127.0.0.1:{port}:8086"'))
    return port


def pasted():
    """The indented lines at the head of docker-compose.yml."""
    head = (ROOT / "docker-compose.yml").read_text().split("services:")[0]
    lines = re.findall(r"^#   (.*)$", head, re.M)
    assert lines[-1] == "docker compose up", lines
    return "\n".join(lines)


class Stack:
    """`docker compose up`, pasted into a shell in the foreground."""

    def __init__(self, engine, folder, port):
        self.engine, self.folder, self.port = engine, folder, port
        self.log = folder / "compose.log"
        with self.log.open("a") as out:
            # Pasted with the shell's own secrets, if any, left out, and with what they are printed.
            script = pasted()
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

    def container(self, service):
        return self.compose("ps", "--all", "--quiet", service)

    def secret(self, name):
        """As whoever pasted it reads it."""
        lines = (self.folder / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)[name]

    def leave(self):
        """Ctrl-C."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(90)


def check(name, found, wanted):
    if found != wanted:
        raise AssertionError(f"{name}: {found!r} instead of {wanted!r}")


def use(stack):
    """What somebody with a browser does."""
    login = base64.b64encode(f"admin:{stack.secret('INFLUXDB_PASSWORD')}".encode()).decode()
    status, _, answer = stack.ask("POST", "/api/v2/signin", Authorization=f"Basic {login}")
    check("sign-in", status, 204)
    cookie = answer.getheader("Set-Cookie").split(";")[0]
    status, body, _ = stack.ask("GET", "/api/v2/me", Cookie=cookie)
    check("me", (status, json.loads(body)["name"]), (200, "admin"))
    status, body, _ = stack.ask("GET", "/api/v2/buckets", Cookie=cookie)
    check("buckets", status, 200)
    assert "default" in [bucket["name"] for bucket in json.loads(body)["buckets"]], body
    line = f"weather temperature=21.5 {time.time_ns()}"
    status, body, _ = stack.ask("POST", "/api/v2/write?org=home&bucket=default", line, Cookie=cookie)
    check("write", (status, body), (204, b""))
    flux = 'from(bucket: "default") |> range(start: -1h) |> last()'
    kind = "application/vnd.flux"
    status, body, _ = stack.ask("POST", "/api/v2/query?org=home", flux, Cookie=cookie, Content_Type=kind)
    assert (status, b"21.5" in body) == (200, True), (status, body)
    check("sign-out", stack.ask("POST", "/api/v2/signout", Cookie=cookie)[0], 204)
    check("me after it", stack.ask("GET", "/api/v2/me", Cookie=cookie)[0], 401)


def confinement(stack, engine):
    """Read-only, without capabilities, and nobody but the gateway can be reached."""
    gateway = stack.container("gateway")
    about = json.loads(engine.docker("inspect", gateway))[0]
    host = about["HostConfig"]
    check("root file system read-only", host["ReadonlyRootfs"], True)
    check("capabilities", host["CapDrop"], ["ALL"])
    check("no new privileges", host["SecurityOpt"], ["no-new-privileges:true"])
    check("user", about["Config"]["User"], "1000:1000")
    status = engine.docker("exec", gateway, "cat", "/proc/1/status")
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    check("effective capabilities", int(found["CapEff"], 16), 0)
    check("capabilities to be had", int(found["CapBnd"], 16), 0)
    check("the user", found["Uid"].split(), ["1000"] * 4)
    # Docker's own three files are the container's, and root's.
    writes = "for place in / /etc/influx-gateway /usr/local/bin /tmp /run; do touch $place/x && echo $place; done"
    check("places to write to", engine.docker("exec", gateway, "sh", "-c", f"{{ {writes}; }} 2>/dev/null || true"), "")
    told = engine.docker("exec", gateway, "sh", "-c", "env; cat /run/secrets/* 2>/dev/null || true")
    for name in ("INFLUXDB_PASSWORD", "INFLUXDB_TOKEN"):
        assert stack.secret(name) not in told, f"the gateway has {name}, which it does not use"
    check("InfluxDB published", engine.docker("port", stack.container("influxdb")), "")
    mode = stack.folder.joinpath(".env").stat().st_mode & 0o777
    check("mode of the secrets", oct(mode), oct(0o600))
    # What the image calls healthy is so.
    kind, command = about["Config"]["Healthcheck"]["Test"]
    check("health check", kind, "CMD-SHELL")
    engine.docker("exec", gateway, "sh", "-c", command)


def f_27_compose_up_works_as_pasted(engine, builds):
    """As pasted, read-only, without capabilities; pasted again, with the same password."""
    make_images(engine, builds)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        # Whoever made it may be anybody else than the user in the container.
        folder.chmod(0o755)
        port = clone(folder)
        say("pasting:\n" + pasted())
        begun = time.monotonic()
        stack = Stack(engine, folder, port)
        try:
            say(f"up after {time.monotonic() - begun:.0f} s")
            size = int(engine.docker("image", "inspect", "--format", "{{.Size}}", "influx-gateway-test-gateway"))
            say(f"size of the image: {size / 1e6:.0f} MB")
            use(stack)
            confinement(stack, engine)
            gateway = stack.container("gateway")
            say("stopping, removing, and pasting again")
            stack.leave()
            state = json.loads(engine.docker("inspect", gateway))[0]["State"]
            check("exit code of the gateway", state["ExitCode"], 0)
            stack.compose("down")
            stack = Stack(engine, folder, port)
            use(stack)
        except Exception:
            print(stack.tail())
            raise
        finally:
            stack.leave()
            stack.compose("down", "--volumes")


def main():
    # The path of a socket may have 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp"))
    engine = Engine(folder)
    passed = failed = skipped = 0
    name = "f_27_compose_up_works_as_pasted"
    try:
        engine.start()
        f_27_compose_up_works_as_pasted(engine, "--build" in sys.argv[1:])
        say(f"{name}: passed")
        passed += 1
    except NoEngine as why:
        say(f"{name}: not run, as no Docker engine can start here: {why}")
        skipped += 1
    except AssertionError as why:
        say(f"{name}: failed: {why}")
        failed += 1
    finally:
        engine.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
