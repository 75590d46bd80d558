"""The real Python client changes its own password: its other sessions end, this one goes on."""

import os

from influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException

NEW_PASSWORD = "battery staple"


def client(password):
    """A client that signs in with `password` at its first call."""
    return InfluxDBClient(
        os.environ["GATEWAY_URL"], username=os.environ["GATEWAY_USER"], password=password
    )


def is_refused(call):
    """Whether `call` is answered with 401."""
    try:
        call()
    except ApiException as error:
        return error.status == 401
    return False


def forget(client):
    """Drops the session that a client would otherwise sign out of, and fail."""
    client.api_client.cookie = None


old = os.environ["GATEWAY_PASSWORD"]
mine, other, late = client(old), client(old), client(old)
me = mine.users_api().me()
other.users_api().me()
mine.users_api().update_password(me, NEW_PASSWORD)

assert mine.users_api().me().id == me.id
assert is_refused(other.users_api().me)
forget(other)
assert is_refused(late.users_api().me)
fresh = client(NEW_PASSWORD)
assert fresh.users_api().me().id == me.id
for signed_in in (mine, fresh):
    signed_in.close()
print("password changed, the other session ended, signed in anew")
