"""Configurations and requests, as text."""

from harness import text
from harness.text import FORWARDED, ME, SIGN_IN, basic, name, request

SIGN_OUT = "/api/v2/signout"


def gateway(port, upstream, folder, store, keys):
    """The gateway: its defaults but for addresses, one thread, cheap hashes, room, patience with a Redis
    that the load keeps busy, and `keys` of the session store at the URL `store`."""
    return text.gateway(port, upstream, folder, f"""[session]
store = "{store}"
store_timeout = "10s"
idle = "1h"
max_sessions = 2_000_000
{keys}
""")


def users(count):
    """The users file, everybody with the same password."""
    return text.users(count, text.CHEAPEST_HASH)


def sign_in(number):
    """A sign-in of this user."""
    return request(SIGN_IN, "POST", Authorization=basic(name(number)))


def forwarded(cookie):
    """A request that is forwarded."""
    return request(FORWARDED, Cookie=cookie)
