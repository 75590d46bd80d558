"""A real InfluxDB 2, if there is one, and what it is asked."""

import gzip
import http.client
import json
import secrets
import time

import load
from harness.process import Failure, Server, free_port
from harness.system import REPOSITORY
from layout import cores

PROGRAM = REPOSITORY / "target/influxd/influxd"
TOKEN = secrets.token_urlsafe(32)
AUTHORIZED = {"Authorization": f"Token {TOKEN}"}
ORG, BUCKET = "bench", "bench"

# Lines of a batch, and rows of the query's result.
LINES = 5_000
ROWS = 100_000
HOSTS = 10

# The points of the query; those of other batches come later.
BEGIN = 1_767_225_600_000_000_000
STEP = 1_000_000_000
END = BEGIN + STEP * (ROWS // HOSTS)

# Seconds until it serves, at most.
PATIENCE = 60

WRITE = f"/api/v2/write?org={ORG}&bucket={BUCKET}&precision=ns"
QUERY = f"/api/v2/query?org={ORG}"


def start(place):
    """It as a server on the cores of the load."""
    folder, port = place.of("influxdb"), free_port()
    command = [PROGRAM, f"--http-bind-address=127.0.0.1:{port}", f"--bolt-path={folder}/bolt",
               f"--sqlite-path={folder}/sqlite", f"--engine-path={folder}/engine", "--reporting-disabled",
               "--log-level=error"]
    nobodys = {"HOME": str(folder), "INFLUXD_CONFIG_PATH": str(folder)}
    return Server("InfluxDB", command, port, cores()[1], folder / "log", nobodys)


def set_up(port):
    """Makes the organisation, the bucket and the points of the query."""
    deadline = time.monotonic() + PATIENCE
    while load.ask(port, "/api/v2/setup")[0] != 200:
        if time.monotonic() > deadline:
            raise Failure(f"InfluxDB does not serve after {PATIENCE} s")
        time.sleep(0.1)
    wanted = {"username": "root", "password": "correct horse", "org": ORG, "bucket": BUCKET, "token": TOKEN}
    status, _, answer = load.ask(port, "/api/v2/setup", {"Content-Type": "application/json"}, "POST",
                                 json.dumps(wanted))
    if status != 201:
        raise Failure(f"InfluxDB: setting up is answered {status} {answer}")
    client = Client(port, AUTHORIZED)
    for number in range(ROWS // LINES):
        client.write(batch(BEGIN, number))


def batch(begin, number):
    """Lines of protocol, compressed: the batch `number` of those that have times from `begin` on."""
    each = LINES // HOSTS
    lines = "".join(f"cpu,host=host{host} usage={(host * 31 + row) % 1000 / 10} {begin + STEP * row}\n"
                    for host in range(HOSTS) for row in range(number * each, (number + 1) * each))
    return gzip.compress(lines.encode(), 6)


class Client:
    """A connection that stays, to InfluxDB or to who stands before it. A wrong answer is a failure."""

    def __init__(self, port, headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = headers

    def write(self, body):
        """Writes a batch; seconds until it is answered."""
        kinds = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
        seconds, status, answer = self._timed(WRITE, body, kinds)
        if (status, answer) != (204, b""):
            raise Failure(f"InfluxDB: a batch is answered {status} {answer[:200]}")
        return seconds

    def query(self, begin=BEGIN, end=END):
        """Asks for the points of that time; seconds until all are there, and how many they are."""
        flux = (f'from(bucket: "{BUCKET}") |> range(start: time(v: {begin}), stop: time(v: {end})) '
                '|> filter(fn: (r) => r._measurement == "cpu")')
        body = json.dumps({"query": flux, "type": "flux"})
        seconds, status, answer = self._timed(QUERY, body, {"Content-Type": "application/json"})
        if status != 200 or not answer.endswith(b"\r\n\r\n"):
            raise Failure(f"InfluxDB: a query is answered {status} {answer[:200]}")
        return seconds, answer.count(b"\r\n,_result,")

    def _timed(self, path, body, kinds):
        began = time.perf_counter()
        self.connection.request("POST", path, body=body, headers={**self.headers, **kinds})
        response = self.connection.getresponse()
        answer = response.read()
        return time.perf_counter() - began, response.status, answer
