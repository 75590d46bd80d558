"""docker-compose.yml on a real Docker engine, as pasted: `make test-compose` calls this.

The engine has folders and a socket of its own. No registry is asked: the images that `Dockerfile` and
`docker-compose.yml` name are made here, of Debian's packages, of the machine's toolchain and of a real
InfluxDB. Where no engine can start, its test says so and is counted as not run.

With --build, the program too is built in the image, which takes some ten minutes.
"""

import base64
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from engine import Engine, NoEngine, say, wait_until
from images import make_images
from stack import Stack, clone, pasted, pasted_for_scale, pasted_to_observe


def check(name, found, wanted):
    if found != wanted:
        raise AssertionError(f"{name}: {found!r} instead of {wanted!r}")


def sign_in(stack, name, password):
    """The cookie."""
    login = base64.b64encode(f"{name}:{password}".encode()).decode()
    status, _, answer = stack.ask("POST", "/api/v2/signin", Authorization=f"Basic {login}")
    check("sign-in", status, 204)
    return answer.getheader("Set-Cookie").split(";")[0]


def use(stack):
    """What somebody with a browser does."""
    cookie = sign_in(stack, "admin", stack.secret("INFLUXDB_PASSWORD"))
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


def confinement(engine, gateway):
    """Read-only, without capabilities, and healthy as its image has it."""
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
    # What the image calls healthy is so.
    kind, command = about["Config"]["Healthcheck"]["Test"]
    check("health check", kind, "CMD-SHELL")
    engine.docker("exec", gateway, "sh", "-c", command)


def secrecy(stack, engine):
    """Nobody but the gateway can be reached, and it knows no secret."""
    gateway = stack.container("gateway")
    told = engine.docker("exec", gateway, "sh", "-c", "env; cat /run/secrets/* 2>/dev/null || true")
    for name in ("INFLUXDB_PASSWORD", "INFLUXDB_TOKEN"):
        assert stack.secret(name) not in told, f"the gateway has {name}, which it does not use"
    check("InfluxDB published", engine.docker("port", stack.container("influxdb")), "")
    mode = stack.folder.joinpath(".env").stat().st_mode & 0o777
    check("mode of the secrets", oct(mode), oct(0o600))


def f_27_compose_up_works_as_pasted(engine):
    """As pasted, read-only, without capabilities; pasted again, with the same password."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        # Whoever made it may be anybody else than the user in the container.
        folder.chmod(0o755)
        port, _ = clone(folder)
        say("pasting:\n" + pasted())
        begun = time.monotonic()
        stack = Stack(engine, folder, port, pasted())
        try:
            say(f"up after {time.monotonic() - begun:.0f} s")
            size = int(engine.docker("image", "inspect", "--format", "{{.Size}}", "influx-gateway-test-gateway"))
            say(f"size of the image: {size / 1e6:.0f} MB")
            use(stack)
            check("services", sorted(stack.compose("ps", "--services").split()), ["gateway", "influxdb"])
            gateway = stack.container("gateway")
            confinement(engine, gateway)
            secrecy(stack, engine)
            say("stopping, removing, and pasting again")
            stack.leave()
            state = json.loads(engine.docker("inspect", gateway))[0]["State"]
            check("exit code of the gateway", state["ExitCode"], 0)
            stack.compose("down")
            stack = Stack(engine, folder, port, pasted())
            use(stack)
        except Exception:
            print(stack.tail())
            raise
        finally:
            stack.leave()
            stack.compose("down", "--volumes")


def redis_is_closed(stack, engine):
    """Redis evicts nothing, and is there for those who have its password, which nobody else is told."""
    redis = stack.container("redis")
    password, key = ((stack.folder / "secrets" / name).read_text().strip() for name in ("redis_password", "store_key"))
    check("Redis published", engine.docker("port", redis), "")
    check("Redis without password", engine.docker("exec", redis, "redis-cli", "ping")[:6], "NOAUTH")
    ask = f"REDISCLI_AUTH={password} redis-cli config get maxmemory-policy"
    check("eviction", engine.docker("exec", redis, "sh", "-c", ask).split()[-1], "noeviction")
    for container in [redis, *stack.containers("gateways")]:
        for told in (engine.docker("inspect", container), engine.docker("top", container, "-o", "pid,args")):
            assert password not in told and key not in told, "a secret can be read"
    check("mode of the secrets", oct(stack.folder.joinpath("secrets").stat().st_mode & 0o777), oct(0o700))


def each_serves(stack, engine, gateways, cookie, status):
    """Asks until each of the gateways has answered so many times; all of them so, and for their client."""
    balancer = json.loads(engine.docker("inspect", stack.container("balancer")))[0]["NetworkSettings"]["Networks"]
    [address] = [network["IPAddress"] for network in balancer.values()]

    def answered(gateway):
        lines = [line for line in engine.log(gateway).splitlines() if "path=/api/v2/me " in line]
        assert not any(f"client={address} " in line for line in lines), lines
        return sum(f"status={status} " in line for line in lines)

    def served():
        check("me", stack.ask("GET", "/api/v2/me", Cookie=cookie)[0], status)
        return all(answered(gateway) >= 5 for gateway in gateways)
    wait_until(f"each of the gateways has answered {status}", served)


def one_gateway_of_two_dies_and_the_session_goes_on(engine):
    """The profile `scale`, as pasted: one session at both gateways, at the one that is left, and at neither."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        _, port = clone(folder)
        say("pasting:\n" + pasted_for_scale())
        stack = Stack(engine, folder, port, pasted_for_scale())
        try:
            services = stack.compose("--profile", "scale", "ps", "--services").split()
            check("services", sorted(services), ["balancer", "gateways", "influxdb", "redis"])
            gateways = stack.containers("gateways")
            check("gateways", len(gateways), 2)
            for gateway in gateways:
                confinement(engine, gateway)
            redis_is_closed(stack, engine)
            cookie = sign_in(stack, "admin", stack.secret("INFLUXDB_PASSWORD"))
            each_serves(stack, engine, gateways, cookie, 200)
            for _ in gateways:
                check("buckets", stack.ask("GET", "/api/v2/buckets", Cookie=cookie)[0], 200)

            say("killing a gateway")
            dead, left = gateways
            engine.docker("kill", dead)
            statuses = []

            def goes_on():
                statuses.append(stack.ask("GET", "/api/v2/me", Cookie=cookie)[0])
                return statuses[-20:] == [200] * 20
            wait_until("the session goes on", goes_on)
            lost = [status for status in statuses if status != 200]
            say(f"of {len(statuses)} requests, {len(lost)} were lost: {lost}")
            assert all(status in (502, 503, 504) for status in lost), lost

            check("sign-out", stack.ask("POST", "/api/v2/signout", Cookie=cookie)[0], 204)
            each_serves(stack, engine, [left], cookie, 401)
            engine.docker("start", dead)
            each_serves(stack, engine, gateways, cookie, 401)
        except Exception:
            print(stack.tail())
            raise
        finally:
            stack.leave()
            stack.compose("--profile", "scale", "down", "--volumes")


def prometheus_reads_the_gateway(engine):
    """The profile `observe`, as pasted, but for Grafana: Prometheus has the figures, the rules and the alerts."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        port, _ = clone(folder)
        say("pasting:\n" + pasted_to_observe())
        stack = Stack(engine, folder, port, pasted_to_observe())
        try:
            cookie = sign_in(stack, "admin", stack.secret("INFLUXDB_PASSWORD"))
            check("me", stack.ask("GET", "/api/v2/me", Cookie=cookie)[0], 200)
            prometheus = stack.container("prometheus")

            def ask(path):
                # Nothing of Prometheus is published: it is asked in its container.
                script = f"exec 3<>/dev/tcp/127.0.0.1/9090; printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
                # Ends of lines are those of this side.
                answer = engine.docker("exec", prometheus, "bash", "-c", script)
                return json.loads(answer.split("\n\n", 1)[1])["data"]

            def has_figures():
                found = ask("/api/v1/query?query=influx_gateway_sessions")["result"]
                return [series["value"][1] for series in found] == ["1"]
            wait_until("Prometheus has seen the session", has_figures)
            [target] = ask("/api/v1/targets")["activeTargets"]
            check("health of the target", (target["health"], target["lastError"]), ("up", ""))
            groups = ask("/api/v1/rules")["groups"]
            states = {rule["health"] for group in groups for rule in group["rules"]}
            check("rules", (len(groups) > 1, states - {"ok", "unknown"}), (True, set()))
            check("published", engine.docker("port", prometheus), "")
        except Exception:
            print(stack.tail())
            raise
        finally:
            stack.leave()
            stack.compose("--profile", "observe", "down", "--volumes")


TESTS = [f_27_compose_up_works_as_pasted, one_gateway_of_two_dies_and_the_session_goes_on, prometheus_reads_the_gateway]


def main():
    # The path of a socket may have 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp"))
    engine = Engine(folder)
    passed = failed = skipped = 0
    try:
        engine.start()
        make_images(engine, "--build" in sys.argv[1:])
        for test in TESTS:
            try:
                test(engine)
                say(f"{test.__name__}: passed")
                passed += 1
            except AssertionError as why:
                say(f"{test.__name__}: failed: {why}")
                failed += 1
    except NoEngine as why:
        say(f"not run, as no Docker engine can start here: {why}")
        skipped = len(TESTS)
    finally:
        engine.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
