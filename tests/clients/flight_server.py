"""Apache Arrow's own Flight server, in InfluxDB 3's place. It says on standard output what it was asked, a line of JSON
each: where it listens, each call with its headers, and what became of calls that were cancelled.

Arguments: none, or the files of a certificate and its key. A ticket is InfluxDB's, and its SQL is what to do:
`rows N`, `wait SECONDS` and then one row, `fail`, `forever`, `drip` (a row, and the next when a line comes in), `gather N`
(the caller's name, once so many calls are there).
"""

import json
import sys
import threading

import pyarrow as pa
from pyarrow import flight

LOCK = threading.Lock()
SCHEMA = pa.schema([("n", pa.int64()), ("text", pa.string())])
PIECE = 4096
GATHERINGS = {}


def say(**what):
    with LOCK:
        print(json.dumps(what), flush=True)


class Notes(flight.ServerMiddlewareFactory):
    def start_call(self, info, headers):
        plain = lambda value: value if isinstance(value, str) else value.hex()
        headers = {name: [plain(value) for value in values] for name, values in headers.items()}
        say(method=info.method.name, headers=headers)
        return Caller(headers.get("x-forwarded-user", [""])[0])


class Caller(flight.ServerMiddleware):
    def __init__(self, name):
        self.name = name


def batch(first, count):
    numbers = range(first, first + count)
    return pa.record_batch([pa.array(numbers, pa.int64()), pa.array(["x" * 32] * count)], schema=SCHEMA)


def rows(count):
    for first in range(0, count, PIECE):
        yield batch(first, min(PIECE, count - first))


def forever(context):
    number = 0
    try:
        while not context.is_cancelled():
            yield batch(number, PIECE)
            number += PIECE
    finally:
        # Arrow drops the generator once what it gives cannot be sent any more.
        say(cancelled=True)


def gather(context, count):
    with LOCK:
        gathering = GATHERINGS.setdefault(count, threading.Barrier(count))
    gathering.wait(60)
    name = context.get_middleware("notes").name
    yield pa.record_batch([[count], [name]], schema=SCHEMA)


def drip():
    for line in sys.stdin:
        yield batch(int(line), 1)


class Server(flight.FlightServerBase):
    def do_get(self, context, ticket):
        command, _, argument = json.loads(ticket.ticket)["sql_query"].partition(" ")
        if command == "fail":
            raise flight.FlightServerError("no such table: 50 % of ü")
        if command == "wait":
            threading.Event().wait(float(argument))
        pieces = {
            "rows": lambda: rows(int(argument)),
            "wait": lambda: rows(1),
            "forever": lambda: forever(context),
            "drip": drip,
            "gather": lambda: gather(context, int(argument)),
        }
        return flight.GeneratorStream(SCHEMA, pieces[command]())

    def do_put(self, context, descriptor, reader, writer):
        count = sum(chunk.data.num_rows for chunk in reader)
        writer.write(str(count).encode())
        say(put=count)

    def do_exchange(self, context, descriptor, reader, writer):
        writer.begin(SCHEMA)
        for chunk in reader:
            writer.write_batch(chunk.data)

    def do_action(self, context, action):
        yield flight.Result(b"done: " + action.type.encode())

    def list_actions(self, context):
        return [("act", "does nothing")]

    def list_flights(self, context, criteria):
        return iter([self.get_flight_info(context, flight.FlightDescriptor.for_path("home"))])

    def get_flight_info(self, context, descriptor):
        return flight.FlightInfo(SCHEMA, descriptor, [], 7, 7)

    def get_schema(self, context, descriptor):
        return flight.SchemaResult(SCHEMA)


def main():
    pair = [open(path, "rb").read() for path in sys.argv[1:]]
    scheme = "grpc+tls" if pair else "grpc"
    server = Server(
        f"{scheme}://127.0.0.1:0",
        tls_certificates=[tuple(pair)] if pair else None,
        middleware={"notes": Notes()},
    )
    say(port=server.port)
    server.serve()


main()
