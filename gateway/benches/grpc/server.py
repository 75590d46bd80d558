"""Arrow's Flight server. `ready N` is a table of so many rows that is there already, `made N` one that is made as it is sent.

Its argument is its port.
"""

import json
import sys

import pyarrow as pa
from pyarrow import flight

SCHEMA = pa.schema([("time", pa.int64()), ("place", pa.string()), ("value", pa.float64())])

# Rows in a piece, as InfluxDB 3 has them.
PIECE = 8192


def pieces(count):
    """So many rows."""
    for first in range(0, count, PIECE):
        size = min(PIECE, count - first)
        columns = [pa.array(range(first, first + size), pa.int64()), pa.array(["hall"] * size), pa.array([0.5] * size)]
        yield pa.record_batch(columns, schema=SCHEMA)


READY = {count: list(pieces(count)) for count in (1, 200_000)}


class Server(flight.FlightServerBase):
    def do_get(self, context, ticket):
        kind, count = json.loads(ticket.ticket)["sql_query"].split()
        if kind == "made":
            return flight.GeneratorStream(SCHEMA, pieces(int(count)))
        return flight.RecordBatchStream(pa.RecordBatchReader.from_batches(SCHEMA, READY[int(count)]))


Server(f"grpc://127.0.0.1:{sys.argv[1]}").serve()
