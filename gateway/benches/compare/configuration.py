"""Every server's configuration, as text, and the one user that all of them know."""

import os
import secrets

from harness.text import CHEAPEST_HASH

USER = "ada"
PASSWORD = "correct horse"

# The password's hash for Apache, which verifies it again with each request: its cheapest scheme.
SHA1 = "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A="

# As long as the gateway's own, without dashes: nginx' variables cannot have them.
PEER_COOKIE = "influxdb_oss_session"
PEER_TOKEN = secrets.token_urlsafe(32)

# The upstream's paths: an empty 204, what it saw, a sink for writes, a long result.
EMPTY = "/api/v2/buckets"
SEEN = "/api/v2/whoami"
WRITE = "/api/v2/write"
QUERY = "/api/v2/query"

# Bytes of a piece of the long result.
PIECE = 32 * 1024

IDLE_SECONDS = 600
AS_ROOT = os.geteuid() == 0
LUA_MODULES = """load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
"""


def gateway(port, upstream, folder, threads=1, idle=f"{IDLE_SECONDS}s", log=None, token=None, more=""):
    """The gateway: its defaults but for addresses, threads, and room for a million sessions; with `log`, its access
    log goes into that file; with `token`, a file, everybody has that upstream; and the tables `more`.

    New hashes are to cost what `CHEAPEST_HASH` does, or each user's would be replaced by a dearer one.
    """
    return f"""[listen]
http = ["127.0.0.1:{port}"]
[upstream]
url = "http://127.0.0.1:{upstream}"
{f'token_file = "{token}"' if token else ""}
[session]
idle = "{idle}"
max_sessions = 2_000_000
[users]
file = "users.toml"
[signin]
hash_memory_kib = 8
hash_passes = 1
[server]
threads = {threads}
pid_file = "{folder}/gateway.pid"
[log]
{f'file = "{log}"' if log else "access = false"}
{more}"""


def users(names):
    """The gateway's users file, everybody with the same password."""
    user = '[[user]]\nname = "{}"\nid = "{:016x}"\npassword = "{}"\n'
    return "".join(user.format(name, number, CHEAPEST_HASH) for number, name in enumerate(names, 1))


def nginx(http, modules="", workers=1, log="off"):
    """nginx around the content of its `http` block: connections kept on both sides, and no log, unless `log` is a
    file; then its lines are those of nginx' default."""
    return f"""{modules}daemon off;
{'user root;' if AS_ROOT else ''}
worker_processes {workers};
worker_rlimit_nofile 16384;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
    access_log {log};
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_max_body_size 0;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    scgi_temp_path temp;
    uwsgi_temp_path temp;
{http}
}}
"""


def upstream(port, stream_bytes):
    """What stands behind every proxy: nginx, answering without asking anybody."""
    return nginx(f"""    server {{
        listen 127.0.0.1:{port} backlog=16384;
        location /api/v2/ {{ return 204; }}
        location = {SEEN} {{
            default_type text/plain;
            return 200 "$http_x_forwarded_user\\n$http_cookie\\n";
        }}
        location = /count {{ stub_status; }}
        location = {WRITE} {{
            content_by_lua_block {{
                local bytes, body = 0, ngx.req.socket()
                while body do
                    local piece = body:receiveany(1048576)
                    if not piece then break end
                    bytes = bytes + #piece
                end
                ngx.header["X-Bytes"] = bytes
                ngx.status = 204
            }}
        }}
        location = {QUERY} {{
            default_type text/csv;
            content_by_lua_block {{
                local piece = string.rep(",_result,0,2026-01-01T00:00:00Z\\n", {PIECE} / 32)
                for _ = 1, {stream_bytes // PIECE} do
                    ngx.print(piece)
                    ngx.flush(true)
                end
            }}
        }}
    }}""", LUA_MODULES)


def nginx_plain(port, upstream_port, workers=1, more=""):
    """nginx, forwarding everything as it comes; bodies are streamed, not kept in files."""
    return nginx(f"""{_pool(upstream_port)}
    server {{
        listen 127.0.0.1:{port} backlog=16384;{more}
        location / {{
            proxy_pass http://upstream;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
        }}
    }}""", workers=workers)


def nginx_auth_request(port, upstream_port, auth_port):
    """nginx asking, for each request, a second server of its own who the cookie's owner is."""
    return nginx(f"""{_pool(upstream_port)}
    upstream auth {{
        server 127.0.0.1:{auth_port};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    map $cookie_{PEER_COOKIE} $owner {{ {PEER_TOKEN} {USER}; }}
    server {{
        listen 127.0.0.1:{auth_port} backlog=16384;
        if ($owner = "") {{ return 401; }}
        add_header X-User $owner;
        location / {{ return 204; }}
    }}
    server {{
        listen 127.0.0.1:{port} backlog=16384;
        location / {{
            auth_request /auth;
            auth_request_set $user $upstream_http_x_user;
            proxy_pass http://upstream;
            proxy_set_header X-Forwarded-User $user;
            proxy_set_header Cookie "";
            proxy_set_header Connection "";
        }}
        location = /auth {{
            internal;
            proxy_pass http://auth/;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header Connection "";
        }}
    }}""")


def nginx_lua(port, upstream_port, log="off", more=""):
    """nginx with a shared dictionary of sessions under the SHA-256 of their cookie."""
    return nginx(f"""{_pool(upstream_port)}
    lua_shared_dict sessions 64m;
    init_by_lua_block {{
        local ffi = require "ffi"
        ffi.cdef "unsigned char *SHA256(const unsigned char *text, size_t length, unsigned char *digest);"
        local digest = ffi.new("unsigned char[32]")
        function session_id(token)
            ffi.C.SHA256(token, #token, digest)
            return ffi.string(digest, 32)
        end
        ngx.shared.sessions:set(session_id("{PEER_TOKEN}"), "{USER}", {IDLE_SECONDS})
    }}
    server {{
        listen 127.0.0.1:{port} backlog=16384;{more}
        location / {{
            set $user "";
            access_by_lua_block {{
                local token, sessions = ngx.var.cookie_{PEER_COOKIE}, ngx.shared.sessions
                local id = token and session_id(token)
                local user = id and sessions:get(id)
                if not user then return ngx.exit(401) end
                sessions:expire(id, {IDLE_SECONDS})
                ngx.var.user = user
            }}
            proxy_pass http://upstream;
            proxy_set_header X-Forwarded-User $user;
            proxy_set_header Cookie "";
            proxy_set_header Connection "";
        }}
    }}""", LUA_MODULES, log=log)


def _pool(upstream_port):
    return f"""    proxy_http_version 1.1;
    upstream upstream {{
        server 127.0.0.1:{upstream_port};
        keepalive 128;
        keepalive_requests 1000000000;
    }}"""


def haproxy(port, upstream_port, folder):
    """HAProxy with a map of cookies to users, and a stick table for the sliding expiry."""
    return f"""global
    nbthread 1
    maxconn 4096
    stats socket {folder}/admin.sock level admin
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 5m
    http-reuse always
frontend public
    bind 127.0.0.1:{port}
    http-request set-var(txn.token) req.cook({PEER_COOKIE})
    http-request set-var(txn.user) var(txn.token),map({folder}/sessions.map)
    http-request deny deny_status 401 unless {{ var(txn.user) -m found }} {{ var(txn.token),in_table(sessions) }}
    http-request track-sc0 var(txn.token) table sessions
    http-request set-header X-Forwarded-User %[var(txn.user)]
    http-request del-header Cookie
    default_backend upstream
backend sessions
    stick-table type string len 64 size 1m expire {IDLE_SECONDS}s store gpt0
backend upstream
    server upstream 127.0.0.1:{upstream_port}
"""


def apache(port, upstream_port, folder):
    """Apache: one process, the session encrypted in the cookie, users of a file."""
    modules = ["mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_form",
               "request", "session", "session_cookie", "session_crypto", "proxy", "proxy_http",
               "headers"]
    load = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
                     for name in modules)
    return f"""{load}
ServerName localhost
ServerRoot {folder}
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
{'User www-data' if AS_ROOT else ''}
{'Group www-data' if AS_ROOT else ''}
StartServers 1
ServerLimit 1
ThreadLimit 128
ThreadsPerChild 128
MaxRequestWorkers 128
MaxKeepAliveRequests 0
KeepAliveTimeout 1h
ProxyPass /signin !
ProxyPass / http://127.0.0.1:{upstream_port}/
<Location "/">
    AuthType form
    AuthName influxdb
    AuthFormProvider file
    AuthUserFile {folder}/users
    Require valid-user
    Session On
    SessionMaxAge 3600
    SessionCookieName {PEER_COOKIE} path=/
    SessionCryptoPassphrase {secrets.token_hex(16)}
    RequestHeader set X-Forwarded-User expr=%{{REMOTE_USER}}
    RequestHeader unset Cookie
</Location>
<Location "/signin">
    SetHandler form-login-handler
</Location>
"""


def vmauth(upstream_port):
    """vmauth: a name and a password with each request; it knows no sessions."""
    return f"""users:
- username: {USER}
  password: {PASSWORD}
  url_prefix: http://127.0.0.1:{upstream_port}
  headers: ["X-Forwarded-User: {USER}"]
"""
