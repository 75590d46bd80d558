"""The real Python client with a JWT as its token before a real InfluxDB: what it wrote and found, or why it could not."""

import os

from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

BUCKET = os.environ["BUCKET"]
COUNT = f'from(bucket: "{BUCKET}") |> range(start: 2023-11-14T00:00:00Z, stop: 2023-11-15T00:00:00Z) |> group() |> count()'

with InfluxDBClient(os.environ["GATEWAY_URL"], os.environ["GATEWAY_TOKEN"], org="home", enable_gzip=True) as client:
    try:
        lines = [f"probe,host=python value={n} {1700000000 + n}" for n in range(1000)]
        client.write_api(write_options=SYNCHRONOUS).write(BUCKET, record=lines, write_precision="s")
        print(sum(record["_value"] for table in client.query_api().query(COUNT) for record in table))
    except ApiException as error:
        print(error.status, error.message)
