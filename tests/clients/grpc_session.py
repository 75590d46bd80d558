"""gRPC's own Python client, with a session's cookie: asks Arrow Flight for a row, and is refused without it."""

import json
import os

import grpc

METHOD = "/arrow.flight.protocol.FlightService/DoGet"


def main():
    ticket = json.dumps({"database": "home", "sql_query": "rows 1", "query_type": "sql"}).encode()
    # The first field of a ticket, its only one.
    message = b"\x0a" + bytes([len(ticket)]) + ticket
    with grpc.insecure_channel(os.environ["GATEWAY"]) as channel:
        call = channel.unary_stream(METHOD)
        # The schema, and the row.
        print(len(list(call(message, timeout=20, metadata=[("cookie", os.environ["COOKIE"])]))))
        for metadata in ([], [("cookie", os.environ["COOKIE"] + "x")]):
            try:
                list(call(message, timeout=20, metadata=metadata))
            except grpc.RpcError as error:
                print(error.code().name, error.details())


main()
