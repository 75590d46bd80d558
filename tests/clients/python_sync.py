"""The real Python client through the gateway: sign in, write in batches, who am I, sign out."""

import os
import time

from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import WriteOptions

POINTS = 10_000

client = InfluxDBClient(
    os.environ["GATEWAY_URL"],
    username=os.environ["GATEWAY_USER"],
    password=os.environ["GATEWAY_PASSWORD"],
    org="o",
)
now = int(time.time()) * 1000
lines = [f"probe,host=h{n % 10} value={n} {now - n * 10}" for n in range(POINTS)]
with client.write_api(write_options=WriteOptions(batch_size=1000)) as writer:
    writer.write(bucket="b", record=lines, write_precision="ms")
name = client.users_api().me().name
client.close()
print(f"user {name}, signed out")
