"""pyarrow's Flight client: asks for what the first argument says, and prints what came of it.

GATEWAY is grpc://… or grpc+tls://…, TOKEN the token or a whole `authorization`, CA the file of an authority.
"""

import concurrent.futures
import json
import os
import sys
import threading

import pyarrow as pa
from pyarrow import flight

SCHEMA = pa.schema([("n", pa.int64()), ("text", pa.string())])
TOKEN = os.environ.get("TOKEN", "")
MORE = [tuple(part.encode() for part in pair) for pair in json.loads(os.environ.get("METADATA", "[]"))]


def client():
    authority = os.environ.get("CA")
    roots = {"tls_root_certs": open(authority, "rb").read()} if authority else {}
    # Otherwise all of a process share one connection.
    own = [("grpc.use_local_subchannel_pool", 1)]
    return flight.connect(os.environ["GATEWAY"], generic_options=own, **roots)


def options(token=TOKEN, timeout=20):
    value = token if " " in token else f"Bearer {token}"
    headers = [(b"authorization", value.encode())] if token else []
    return flight.FlightCallOptions(timeout=timeout, headers=headers + MORE)


def ticket(sql):
    return flight.Ticket(json.dumps({"database": "home", "sql_query": sql, "query_type": "sql"}).encode())


def get(sql):
    return client().do_get(ticket(sql), options()).read_all().num_rows


def put(rows):
    writer, reader = client().do_put(flight.FlightDescriptor.for_path("home"), SCHEMA, options())
    for number in range(int(rows)):
        writer.write_batch(pa.record_batch([[number], ["x"]], schema=SCHEMA))
    writer.done_writing()
    written = reader.read().to_pybytes().decode()
    writer.close()
    return written


def exchange(rows):
    descriptor = flight.FlightDescriptor.for_path("home")
    writer, reader = client().do_exchange(descriptor, options())
    writer.begin(SCHEMA)
    echoed = 0
    for number in range(int(rows)):
        # One after the other: both directions are open at once.
        writer.write_batch(pa.record_batch([[number], ["x"]], schema=SCHEMA))
        echoed += reader.read_chunk().data.num_rows
    writer.done_writing()
    writer.close()
    return echoed


def action(_):
    return next(iter(client().do_action(flight.Action("act", b""), options()))).body.to_pybytes().decode()


def lists(_):
    one = client()
    actions = [action.type for action in one.list_actions(options())]
    flights = [info.total_records for info in one.list_flights(b"", options())]
    descriptor = flight.FlightDescriptor.for_path("home")
    info, schema = one.get_flight_info(descriptor, options()), one.get_schema(descriptor, options())
    return f"{actions} {flights} {info.total_records} {schema.schema.names}"


def cancel(_):
    reader = client().do_get(ticket("forever"), options())
    reader.read_chunk()
    reader.cancel()
    return "cancelled"


def deadline(_):
    return client().do_get(ticket("wait 60"), options(timeout=0.3)).read_all().num_rows


def stall(count):
    """So many answers of which nothing is read, and one that is, on the same connection."""
    one = client()
    # Without a deadline: the end of one would make room for whoever waits.
    readers = [one.do_get(ticket("rows 2000000"), options(timeout=None)) for _ in range(int(count))]
    for reader in readers:
        reader.read_chunk()
    rows = one.do_get(ticket("rows 1000"), options()).read_all().num_rows
    print(rows, flush=True)
    # Until whoever watches has seen enough.
    sys.stdin.readline()
    for reader in readers:
        reader.cancel()
    return "done"


def drip(count):
    """Reads a row when one is there, and says so."""
    reader = client().do_get(ticket("drip"), options(timeout=None))
    for _ in range(int(count)):
        print(reader.read_chunk().data.column(0)[0].as_py(), flush=True)
    return "done"


def crowd(count):
    """So many calls of all these users, all open at once: each is answered with the user's own name."""
    count, tokens = int(count), list(json.loads(os.environ["TOKENS"]).items())
    connections = [client() for _ in range(count // 50)]

    def one(number):
        name, token = tokens[number % len(tokens)]
        # What it calls itself is no matter.
        claimed = [(b"x-forwarded-user", tokens[number % len(tokens) - 1][0].encode())]
        asked = flight.FlightCallOptions(timeout=60, headers=[(b"authorization", f"Bearer {token}".encode())] + claimed)
        got = connections[number % len(connections)].do_get(ticket(f"gather {count}"), asked).read_all()
        return got.column("text").to_pylist() == [name]

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return sum(pool.map(one, range(count)))


def main():
    command, argument = (sys.argv[1:] + [""])[:2]
    try:
        print(globals()[command](argument), flush=True)
    except flight.FlightError as error:
        print(type(error).__name__, str(error).split(". gRPC client debug")[0], flush=True)
    except pa.ArrowException as error:
        print(type(error).__name__, str(error).split(". gRPC client debug")[0], flush=True)


main()
