"""Configurations and requests, as text."""

import secrets

from harness.text import (
    CHEAPEST_HASH, FORWARDED, ME, PASSWORD, SIGN_IN, SIGNED_IN, basic, name, request, users)

# What makes the cheapest hash that of new passwords, too: signing in a million times is not a measurement of Argon2.
CHEAPEST = {"hash_memory_kib": 8, "hash_passes": 1, "hash_lanes": 1}

# What one hash takes of memory, by default.
HASH_BYTES = 19 * 1024 * 1024


def gateway(port, upstream, folder, threads=0, sessions=1_000_000, **signin):
    """The gateway: its defaults but for addresses, the audit trail, and what is asked for."""
    signin = "\n".join(f"{key} = {value}" for key, value in signin.items())
    return f"""[listen]
http = ["127.0.0.1:{port}"]
trusted_proxies = ["127.0.0.1/32"]
[upstream]
url = "http://127.0.0.1:{upstream}"
[session]
max_sessions = {sessions}
[users]
file = "users.toml"
[signin]
{signin}
[audit]
file = "audit.jsonl"
[server]
threads = {threads}
pid_file = "{folder}/gateway.pid"
"""


def sign_in(user, password=PASSWORD, client="192.0.2.1"):
    """A sign-in of `user`, as a trusted proxy forwards it for `client`."""
    return request(SIGN_IN, "POST", Authorization=basic(user, password), X_Forwarded_For=client)


def right_sign_ins(count):
    """A sign-in of each of the first `count` users."""
    return "".join(sign_in(name(number)) for number in range(count))


def wrong_sign_ins(count, clients):
    """Sign-ins of nobody, under names drawn by lot, from `clients` in turn."""
    return "".join(sign_in(secrets.token_hex(8), "wrong", clients[number % len(clients)])
                   for number in range(count))
