"""The proxies that are compared: how each is started, and what makes its answers right."""

import base64
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable

import configuration as text
import programs
from harness.process import Failure, Server, all_cores, free_port
from layout import cores
from load import ask

BASIC = "Basic " + base64.b64encode(f"{text.USER}:{text.PASSWORD}".encode()).decode()
# Of those that know sessions as the gateway does.
WORK = "session by SHA-256, sliding expiry, identity, cookie removed"

PEER_HEADERS = {"Cookie": f"{text.PEER_COOKIE}={text.PEER_TOKEN}"}


@dataclass
class Place:
    """Where servers are started: a folder, the programs, the upstream they share, and the proxies' cores."""

    folder: Path
    built: dict
    upstream: int = 0
    on: list = field(default_factory=lambda: cores()[0])

    def of(self, name):
        """A folder for the server `name`, which may run as somebody else."""
        folder = self.folder / name
        (folder / "temp").mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        return folder

    def unpinned(self):
        """The same for proxies that may run on every core."""
        return replace(self, folder=self.folder / "unpinned", on=all_cores())


@dataclass
class Peer:
    """A proxy, what it does, and how one asks it."""

    name: str
    title: str
    work: str
    server: Server
    # The headers with which it forwards, once it runs.
    sign_in: Callable[[int], dict] = lambda port: PEER_HEADERS
    # What it answers to those whom it does not know; empty: it forwards for everybody.
    refusals: tuple = (401,)
    headers: dict = field(default_factory=dict)
    # Where it speaks TLS too, if anywhere.
    https: int = 0

    def __enter__(self):
        self.server.__enter__()
        try:
            self.headers = self.sign_in(self.server.port)
            self.check()
        except BaseException:
            self.server.__exit__()
            raise
        return self

    def __exit__(self, *error):
        self.server.__exit__(*error)

    def check(self, tls=None):
        """Fails if an answer is wrong, however fast it came; over TLS with the context `tls`."""
        port = self.https if tls else self.server.port
        self._expect("the empty answer", ask(port, text.EMPTY, self.headers, tls=tls)[::2], (204, ""))
        if not self.refusals:
            return
        status, _, seen = ask(port, text.SEEN, {**self.headers, "X-Forwarded-User": "mallory"}, tls=tls)
        user, cookie = (seen.splitlines() + ["", ""])[:2]
        self._expect("the upstream's view", (status, user, cookie), (200, text.USER, ""))
        status = ask(port, text.EMPTY, tls=tls)[0]
        if status not in self.refusals:
            raise Failure(f"{self.title}: answers {status} without credentials")

    def _expect(self, what, found, expected):
        if found != expected:
            raise Failure(f"{self.title}: {what} is {found!r}, not {expected!r}")


def upstream(place, stream_bytes, on=None):
    """The upstream, on the cores of the load unless others are given."""
    folder, port = place.of("upstream"), free_port()
    configuration = text.upstream(port, stream_bytes)
    return _nginx("upstream", folder, configuration, port, on or cores()[1])


def _nginx(name, folder, configuration, port, on):
    (folder / "nginx.conf").write_text(configuration)
    command = [programs.find("nginx"), "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]
    return Server(name, command, port, on, folder / "log")


def gateway_folder(place, name, port, users=(text.USER,), **settings):
    """A folder with the configuration and the users of a gateway."""
    folder = place.of(name)
    (folder / "gateway.toml").write_text(text.gateway(port, place.upstream, folder, **settings))
    (folder / "users.toml").write_text(text.users(users))
    (folder / "users.toml").chmod(0o600)
    return folder


def gateway(place, name="gateway", on=None, program="gateway", **settings):
    """This repository's gateway, without access log."""
    port = free_port()
    folder = gateway_folder(place, name, port, **settings)
    command = [place.built[program], "run", "--config", folder / "gateway.toml"]
    server = Server("gateway", command, port, on or place.on, folder / "log")
    return Peer(name, "influx-gateway", WORK, server, _sign_in_to_gateway)


def gateway_logged(place):
    """The same with its access log in a file, as it is by default but for the place."""
    peer = gateway(place, "gateway_logged", log=place.of("gateway_logged") / "access.log")
    peer.title, peer.work = "influx-gateway, access log", f"{WORK}; a line"
    return peer


def _sign_in_to_gateway(port):
    status, headers, _ = ask(port, "/api/v2/signin", {"Authorization": BASIC}, "POST")
    if status != 204:
        raise Failure(f"gateway: signing in is answered {status}")
    return {"Cookie": headers["Set-Cookie"].split(";")[0]}


def bare_pingora(place):
    """Pingora from the gateway's own configuration, without the gateway's work."""
    port = free_port()
    folder = gateway_folder(place, "bare_pingora", port)
    command = [place.built["bare_pingora"], folder / "gateway.toml"]
    server = Server("bare Pingora", command, port, place.on, folder / "log")
    return Peer("bare_pingora", "bare Pingora", "none; set up as the gateway is", server,
                refusals=())


def stock_pingora(place):
    """Pingora as it comes, built as cargo builds by default."""
    port, folder = free_port(), place.of("stock_pingora")
    command = [place.built["stock_pingora"], f"127.0.0.1:{port}", f"127.0.0.1:{place.upstream}"]
    server = Server("stock Pingora", command, port, place.on, folder / "log")
    return Peer("stock_pingora", "stock Pingora", "none; Pingora's and cargo's defaults", server,
                refusals=())


def nginx(place, workers=1, name="nginx", on=None, more=""):
    """nginx, forwarding."""
    port = free_port()
    configuration = text.nginx_plain(port, place.upstream, workers, more)
    server = _nginx("nginx", place.of(name), configuration, port, on or place.on)
    return Peer(name, "nginx", "none", server, refusals=())


def nginx_auth_request(place):
    """nginx with a subrequest to whoever knows the sessions."""
    port = free_port()
    configuration = text.nginx_auth_request(port, place.upstream, free_port())
    server = _nginx("nginx auth_request", place.of("nginx_auth_request"), configuration, port,
                    place.on)
    work = "asks a second server, which knows one cookie; identity, cookie removed"
    return Peer("nginx_auth_request", "nginx `auth_request`", work, server)


def nginx_lua(place, name="nginx_lua", log="off", more=""):
    """nginx with Lua and a shared dictionary."""
    port = free_port()
    configuration = text.nginx_lua(port, place.upstream, log, more)
    server = _nginx("nginx Lua", place.of(name), configuration, port, place.on)
    return Peer(name, "nginx with Lua", WORK, server)


def nginx_lua_logged(place):
    """The same with nginx' default access log."""
    name = "nginx_lua_logged"
    peer = nginx_lua(place, name, place.of(name) / "access.log")
    peer.title, peer.work = "nginx with Lua, access log", f"{WORK}; a line"
    return peer


def haproxy(place):
    """HAProxy with a map and a stick table."""
    port, folder = free_port(), place.of("haproxy")
    (folder / "sessions.map").write_text(f"{text.PEER_TOKEN} {text.USER}\n")
    (folder / "haproxy.cfg").write_text(text.haproxy(port, place.upstream, folder))
    command = [programs.find("haproxy"), "-db", "-f", folder / "haproxy.cfg"]
    server = Server("HAProxy", command, port, place.on, folder / "log")

    def sign_in(_):
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(folder / "admin.sock"))
            admin.sendall(f"set table sessions key {text.PEER_TOKEN} data.gpt0 1\n".encode())
            admin.recv(4096)
        return PEER_HEADERS

    work = "session by the cookie itself, sliding expiry, identity, cookie removed"
    return Peer("haproxy", "HAProxy, map and stick table", work, server, sign_in)


def apache(place):
    """Apache with a session that is encrypted in the cookie."""
    port, folder = free_port(), place.of("apache")
    (folder / "apache.conf").write_text(text.apache(port, place.upstream, folder))
    (folder / "users").write_text(f"{text.USER}:{text.SHA1}\n")
    (folder / "users").chmod(0o644)
    command = [programs.find("apache2"), "-f", folder / "apache.conf", "-DFOREGROUND"]
    server = Server("Apache", command, port, place.on, folder / "log")

    def sign_in(_):
        form = f"httpd_username={text.USER}&httpd_password={text.PASSWORD.replace(' ', '+')}"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        cookies = ask(port, "/signin", kind, "POST", form)[1].get_all("Set-Cookie", [])
        if not cookies:
            raise Failure("Apache: signing in brings no cookie")
        return {"Cookie": cookies[-1].split(";")[0]}

    work = "decrypts the cookie, verifies the password (SHA-1), sliding expiry, identity, " \
           "cookie removed"
    return Peer("apache", "Apache `mod_auth_form`", work, server, sign_in, (401, 302, 403))


def vmauth(place):
    """VictoriaMetrics' vmauth."""
    port, folder = free_port(), place.of("vmauth")
    (folder / "auth.yml").write_text(text.vmauth(place.upstream))
    command = [programs.find("vmauth"), f"-auth.config={folder}/auth.yml",
               f"-httpListenAddr=127.0.0.1:{port}", "-maxIdleConnsPerBackend=128",
               "-http.maxGracefulShutdownDuration=1s", "-http.connTimeout=1h"]
    server = Server("vmauth", command, port, place.on, folder / "log", {"GOMAXPROCS": "1"})
    return Peer("vmauth", "VictoriaMetrics `vmauth`", "Basic with each request, identity; no "
                "sessions", server, lambda _: {"Authorization": BASIC})


# In the order of each round.
ALL = {peer.__name__: peer for peer in (
    gateway, gateway_logged, nginx_lua_logged, bare_pingora, stock_pingora, nginx, nginx_auth_request,
    nginx_lua, haproxy, apache, vmauth)}
