"""Requests: single ones, load by wrk, and load by `client.c` where wrk cannot do it."""

import http.client
import re
import subprocess
import time
from dataclasses import dataclass

import programs
from harness import client as program
from harness.process import Failure, pinned
from layout import cores

CONNECTIONS = 64


@dataclass
class Load:
    """What a stretch of load came to."""

    requests: int
    seconds: float


def ask(port, path, headers=None, method="GET", body=None, tls=None):
    """One request on a connection of its own, over TLS if there is a context for it: status, headers, body."""
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=tls)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{method} {path} on port {port}: {error!r}") from error
    finally:
        connection.close()


def wrk(port, path, headers, seconds, on):
    """Load by wrk, one thread, as many requests as come back; any that is not right is a failure."""
    listed = [argument for name, value in headers.items() for argument in ("-H", f"{name}: {value}")]
    url = f"http://127.0.0.1:{port}{path}"
    command = [programs.find("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *listed, url]
    done = subprocess.run(pinned(command, on), text=True, capture_output=True)
    count = re.search(r"(\d+) requests in ([\d.]+)(m?s|m)", done.stdout)
    faults = re.findall(r".*(?:Non-2xx|Socket errors).*", done.stdout)
    if done.returncode or faults or not count or count.group(1) == "0":
        raise Failure(f"wrk {url}: {' '.join(faults) or done.stdout + done.stderr}")
    unit = {"ms": 0.001, "s": 1, "m": 60}[count.group(3)]
    return Load(int(count.group(1)), float(count.group(2)) * unit)


def request(path, headers, method="GET"):
    """The bytes of a request without body, as `client.c` sends them."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""])


def client(bench, peer, requests, count, rate=None, cookies=None):
    """Load by `client.c` with the requests of the file `requests`, all answered 2xx: its measurements."""
    command = program.command(bench.place.built["client"], peer.server.port, requests, ["2"], CONNECTIONS,
                              cores()[1], count, rate=rate, cookies=cookies)
    done = subprocess.run(command, text=True, capture_output=True)
    return program.result(done.stdout, done.stderr, done.returncode)


def upstream_count(port):
    """How many requests the upstream has had, by its own count."""
    fields = ask(port, "/count")[2].splitlines()[2].split()
    return int(fields[2])


def settle():
    """Lets requests that were in flight when the load stopped come to their end."""
    time.sleep(0.1)
