"""The real Python client downloads the answer to a query, as it comes; told how large it is, and its digest."""

import hashlib
import os

from influxdb_client import InfluxDBClient

gzip = os.environ["ANSWER"] == "gzip"
with InfluxDBClient(
    os.environ["GATEWAY_URL"],
    token=os.environ.get("GATEWAY_TOKEN"),
    username=os.environ.get("GATEWAY_USER"),
    password=os.environ.get("GATEWAY_PASSWORD"),
    org="home",
    timeout=300_000,
    enable_gzip=gzip,
) as client:
    answer = client.query_api().query_raw(os.environ["QUERY"])
    encoding = answer.headers.get("Content-Encoding", "plain")
    digest, size = hashlib.sha256(), 0
    for piece in answer.stream(1 << 20, decode_content=True):
        digest.update(piece)
        size += len(piece)
print(f"{encoding}, {size} bytes, {digest.hexdigest()}")
