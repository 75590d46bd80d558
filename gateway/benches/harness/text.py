"""Texts that benchmarks of the gateway alone have in common: its users, the upstream, and requests."""

import base64
import os

PASSWORD = "correct horse"

# Its hash by the cheapest parameters that Argon2id has, where signing in is no measurement of Argon2.
CHEAPEST_HASH = ("$argon2id$v=19$m=8,t=1,p=1$zb0kk9ZzhRpF74EDMreAwA"
                 "$Bmkr88hNGBKV1GCvz0rQt2LFIpic3FWJ5/dSnnk4IlU")

SIGN_IN = "/api/v2/signin"
# What the answer to that is: a status, and what must be in it.
SIGNED_IN = "204 set-cookie: influxdb-oss-session="
ME = "/api/v2/me"
FORWARDED = "/api/v2/buckets"


def gateway(port, upstream, folder, more):
    """A gateway: its defaults but for addresses, one thread and cheap hashes; and the tables `more`."""
    return f"""[listen]
http = ["127.0.0.1:{port}"]
[upstream]
url = "http://127.0.0.1:{upstream}"
[users]
file = "users.toml"
[signin]
hash_memory_kib = 8
hash_passes = 1
[server]
threads = 1
pid_file = "{folder}/gateway.pid"
{more}"""


def users(count, password_hash):
    """The users file, everybody with the same password."""
    user = '[[user]]\nname = "{}"\nid = "{:016x}"\npassword = "{}"\n'
    return "".join(user.format(name(number), number + 1, password_hash) for number in range(count))


def name(number):
    """The name of a user."""
    return f"user{number}"


def nginx(http):
    """nginx, with `http` in its block of that name."""
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
{http}
}}
"""


def upstream(port):
    """nginx, which answers everything with an empty 204."""
    return nginx(f"""    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 204; }}
    }}""")


def request(path, method="GET", **headers):
    """The bytes of a request without body; `_` in a header's name stands for `-`."""
    lines = [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""])


def basic(user, password=PASSWORD):
    """The value of `Authorization`."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
