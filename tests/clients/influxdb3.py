"""InfluxDB 3's official Python client, with nothing but a token: queries, and a query that fails."""

import os

from influxdb_client_3 import InfluxDBClient3


def main():
    more = {"ssl_ca_cert": os.environ["CA"]} if "CA" in os.environ else {}
    client = InfluxDBClient3(host=os.environ["GATEWAY_URL"], token=os.environ["TOKEN"], database="home", **more)
    table = client.query("rows 200000", language="sql")
    print("rows", table.num_rows, table.column("n")[-1].as_py())
    print("chunks", sum(chunk.data.num_rows for chunk in client.query("rows 10000", mode="chunk")))
    try:
        client.query("fail", language="sql")
    except Exception as error:  # noqa: BLE001: the client wraps it in its own way
        print("error", "no such table: 50 % of ü" in str(error))
    client.close()


main()
