"""Configurations and requests, as text."""

import base64
import os
import secrets

PASSWORD = "correct horse"

# Its hash by the cheapest parameters that Argon2id has: signing in a million times is not a
# measurement of Argon2.
CHEAPEST_HASH = ("$argon2id$v=19$m=8,t=1,p=1$zb0kk9ZzhRpF74EDMreAwA"
                 "$Bmkr88hNGBKV1GCvz0rQt2LFIpic3FWJ5/dSnnk4IlU")
CHEAPEST = {"hash_memory_kib": 8, "hash_passes": 1, "hash_lanes": 1}

# What one hash takes of memory, by default.
HASH_BYTES = 19 * 1024 * 1024

SIGN_IN = "/api/v2/signin"
ME = "/api/v2/me"
FORWARDED = "/api/v2/buckets"


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


def users(count, password_hash):
    """The users file, everybody with the same password."""
    user = '[[user]]\nname = "{}"\nid = "{:016x}"\npassword = "{}"\n'
    return "".join(user.format(name(number), number + 1, password_hash) for number in range(count))


def name(number):
    """The name of a user."""
    return f"user{number}"


def upstream(port):
    """nginx, which answers everything with an empty 204."""
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""daemon off;
{user}
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    scgi_temp_path temp;
    uwsgi_temp_path temp;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 204; }}
    }}
}}
"""


def request(path, method="GET", **headers):
    """The bytes of a request without body; `_` in a header's name stands for `-`."""
    lines = [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""])


def sign_in(user, password=PASSWORD, client="192.0.2.1"):
    """A sign-in of `user`, as a trusted proxy forwards it for `client`."""
    return request(SIGN_IN, "POST", Authorization=basic(user, password), X_Forwarded_For=client)


def basic(user, password=PASSWORD):
    """The value of `Authorization`."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def right_sign_ins(count):
    """A sign-in of each of the first `count` users."""
    return "".join(sign_in(name(number)) for number in range(count))


def wrong_sign_ins(count, clients):
    """Sign-ins of nobody, under names drawn by lot, from `clients` in turn."""
    return "".join(sign_in(secrets.token_hex(8), "wrong", clients[number % len(clients)])
                   for number in range(count))
