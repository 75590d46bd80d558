"""The real Python client through the gateway: sign in, write, who am I, sign out."""

import json
import os
import time
import urllib.parse
import urllib.request

from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import WriteOptions

POINTS = 10_000
GATEWAY = os.environ["GATEWAY_URL"]
DATABASE = os.environ["DATABASE_URL"]


def counted():
    """How many points the database holds, asked behind the gateway's back."""
    query = urllib.parse.urlencode({"match[]": '{__name__="probe_value"}'})
    with urllib.request.urlopen(f"{DATABASE}/api/v1/export?{query}") as answer:
        return sum(len(json.loads(line)["values"]) for line in answer)


client = InfluxDBClient(
    GATEWAY, username=os.environ["GATEWAY_USER"], password=os.environ["GATEWAY_PASSWORD"], org="o"
)
now = int(time.time()) * 1000
lines = [f"probe,host=h{n % 10} value={n} {now - n * 10}" for n in range(POINTS)]
with client.write_api(write_options=WriteOptions(batch_size=1000)) as writer:
    writer.write(bucket="b", record=lines, write_precision="ms")

deadline = time.monotonic() + 20
while counted() < POINTS and time.monotonic() < deadline:
    urllib.request.urlopen(f"{DATABASE}/internal/force_flush").close()
found = counted()
name = client.users_api().me().name
client.close()
print(f"{found} points, user {name}, signed out")
