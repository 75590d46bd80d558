"""The programs that are compared: found, built, and asked for their versions."""

import shutil
from pathlib import Path

from harness import client, system
from harness.process import Failure
from harness.system import commit, locked, said

LUA = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")

# Each program, and the Debian package that has it.
PACKAGES = {
    "nginx": "nginx", "haproxy": "haproxy", "apache2": "apache2-bin",
    "vmauth": "victoria-metrics", "wrk": "wrk", "h2load": "nghttp2-client", "openssl": "openssl",
    "taskset": "util-linux", "setpriv": "util-linux", "strace": "strace",
    "perf": "linux-perf", "cc": "gcc libc6-dev", "strip": "binutils", "cargo": "(rustup.rs)",
}


def find(name):
    """Where the program `name` is."""
    return system.find(name, f"{PACKAGES[name]} (or: make bench)")


def check():
    """Fails at once if anything is missing, rather than after ten minutes."""
    for name in PACKAGES:
        find(name)
    if not LUA.exists():
        raise Failure(f"{LUA} is missing; Debian's package: libnginx-mod-http-lua (or: make bench)")


def build(folder, elsewhere=None):
    """Builds what is this repository's into `folder`: name to path.

    Copies, so that whoever builds meanwhile changes nothing. The gateway is kept with its symbols
    for the profile and stripped for everything else. Of what was built `elsewhere`, what is there.
    """
    folder.mkdir()
    built = {"symbols": folder / "influx-gateway.symbols", "gateway": folder / "influx-gateway",
             "client": client.build(find("cc"), folder)}
    if elsewhere:
        shutil.copy(elsewhere / "influx-gateway", built["symbols"])
        examples = list((elsewhere / "examples").glob("*_pingora"))
    else:
        symbols = system.release("rustc", "--bin", "influx-gateway", "--", "-C", "strip=none")
        shutil.copy(symbols, built["symbols"])
        examples = [system.release("build", "--features", "internals", "--example", "bare_pingora"),
                    system.cargo("build", "--profile", "stock", "--example", "stock_pingora")]
    for example in map(Path, examples):
        built[example.name] = shutil.copy(example, folder)
    system.run([find("strip"), "-o", built["gateway"], built["symbols"]])
    return built


def versions():
    """The version of everything that takes part."""
    return {
        "influx-gateway": commit(),
        "Pingora": locked("pingora-proxy"),
        "rustc": said(["rustc", "--version"], r"rustc (\S+)"),
        "nginx": said([find("nginx"), "-v"], r"nginx/(\S+)"),
        "HAProxy": said([find("haproxy"), "-v"], r"version (\S+)"),
        "Apache httpd": said([find("apache2"), "-v"], r"Apache/(\S+)"),
        "vmauth": said(["dpkg-query", "-W", "victoria-metrics"], r"\s(\S+)"),
        "h2load": said([find("h2load"), "--version"], r"nghttp2/(\S+)"),
        "OpenSSL": said([find("openssl"), "version"], r"OpenSSL (\S+)"),
        "ring": locked("ring"),
        "rustls": locked("rustls"),
        "wrk": said([find("wrk"), "-v"], r"wrk (?:debian/)?(\S+)"),
    }
