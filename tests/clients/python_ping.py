"""The real Python client asks what it talks to: ping, version, build."""

import os

from influxdb_client import InfluxDBClient

client = InfluxDBClient(
    os.environ["GATEWAY_URL"],
    username=os.environ["GATEWAY_USER"],
    password=os.environ["GATEWAY_PASSWORD"],
)
print(f"ping {client.ping()}, version {client.version()}, build {client.build()}")
client.close()
