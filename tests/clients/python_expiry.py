"""The real Python client after its session ended: told so by every call, never signed in again."""

import gc
import os
import sys
import time

from influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException

IDLE = 1.0  # seconds, the gateway's `session.idle`


def refusal(call):
    """What `call` raises."""
    try:
        call()
    except ApiException as error:
        return f"{error.status} {error.message}"
    raise AssertionError("nothing was raised")


client = InfluxDBClient(
    os.environ["GATEWAY_URL"],
    username=os.environ["GATEWAY_USER"],
    password=os.environ["GATEWAY_PASSWORD"],
)
client.users_api().me()
time.sleep(1.3 * IDLE)
refusals = {refusal(client.users_api().me), refusal(client.users_api().me), refusal(client.close)}

# A client that could not sign out tries again when it is collected, and Python reports that.
ignored = []
sys.unraisablehook = lambda report: ignored.append(report.exc_value.status)
del client
gc.collect()
assert set(ignored) == {401}, ignored
print("me, me again, close:", *refusals)
