"""Arrow's client: so many queries of so many rows, by so many threads at once; prints how many seconds it took.

    load.py PORT TOKEN ready|made ROWS COUNT THREADS
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from pyarrow import flight

PORT, TOKEN, KIND = sys.argv[1:4]
ROWS, COUNT, THREADS = map(int, sys.argv[4:7])
TICKET = flight.Ticket(json.dumps({"database": "home", "sql_query": f"{KIND} {ROWS}", "query_type": "sql"}).encode())
OPTIONS = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {TOKEN}".encode())])


def main():
    client = flight.connect(f"grpc://127.0.0.1:{PORT}")

    def query(_):
        rows = client.do_get(TICKET, OPTIONS).read_all().num_rows
        assert rows == ROWS, rows

    with ThreadPoolExecutor(THREADS) as pool:
        # Connections are there then, on both sides.
        list(pool.map(query, range(2 * THREADS)))
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.monotonic()
        list(pool.map(query, range(COUNT)))
        print(time.monotonic() - began)


main()
