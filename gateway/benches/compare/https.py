"""TLS: handshakes, full and resumed, and requests on connections that stay, by HTTP/1.1 and HTTP/2.

Everybody has the same certificate, and answers the same clients, which ask for the same version, cipher
and key exchange: a connection by which anything else was agreed on ends the run. Nobody has keys for
session tickets, nobody takes early data; sessions are resumed from the server's memory.
"""

import re
import ssl
import subprocess
from dataclasses import dataclass

import handshakes
import peers
import programs
from bench import interleaved, summary, under_load
from harness.command import say
from harness.process import Failure, free_port, pinned
from harness.system import run
from load import CONNECTIONS, Load

# What h2load is to report of each connection.
CIPHER = "TLS_AES_256_GCM_SHA384"
AGREED = {"TLS Protocol": "TLSv1.3", "Cipher": CIPHER, "Server Temp Key": "X25519 253 bits"}

# Requests in flight are as many by either protocol.
PROTOCOLS = {
    "http/1.1": ["--h1", f"-c{CONNECTIONS}", "-m1"],
    "h2": [f"-c{CONNECTIONS // 8}", "-m8"],
}
ROWS = ["full handshake", "resumed handshake", *PROTOCOLS]


@dataclass
class Pair:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""

    certificate: str
    key: str

    @classmethod
    def make(cls, folder):
        """A new one, of the kind that is cheapest to sign with: ECDSA with P-256."""
        pair = cls(f"{folder}/certificate.pem", f"{folder}/key.pem")
        run([programs.find("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", pair.key, "-out", pair.certificate], stderr=subprocess.DEVNULL)
        return pair

    def gateway(self, port):
        """A listener of the gateway."""
        return (f'[[listen.https]]\naddress = "127.0.0.1:{port}"\n'
                f'certificate = "{self.certificate}"\nkey = "{self.key}"\n')

    def nginx(self, port):
        """A listener of nginx that does the same."""
        return f"""
        listen 127.0.0.1:{port} ssl http2 backlog=16384;
        ssl_certificate {self.certificate};
        ssl_certificate_key {self.key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_tickets off;
        ssl_session_cache shared:tls:10m;
        ssl_early_data off;"""


def measure(bench):
    """The gateway, nginx that forwards, and nginx that does the gateway's work too."""
    say("https: handshakes and requests over TLS")
    pair = Pair.make(bench.place.of("https"))
    context = ssl.create_default_context(cafile=pair.certificate)
    running = _peers(bench.place, pair)
    results = interleaved(running, bench.few, lambda peer: _round(bench, peer, context))
    return {row: {peer.name.removeprefix("https-"): {"title": peer.title,
                                                     **summary([found[row] for found in rounds])}
                  for peer, rounds in zip(running, results)} for row in ROWS}


def _peers(place, pair):
    ports = [free_port() for _ in range(3)]
    found = [peers.gateway(place, "https-gateway", more=pair.gateway(ports[0])),
             peers.nginx(place, name="https-nginx", more=pair.nginx(ports[1])),
             peers.nginx_lua(place, "https-nginx_lua", more=pair.nginx(ports[2]))]
    for peer, port in zip(found, ports):
        peer.https = port
    return found


def _round(bench, peer, context):
    peer.check(context)
    found = {"full handshake": handshakes.measure(bench, peer, context, CIPHER, False),
             "resumed handshake": handshakes.measure(bench, peer, context, CIPHER, True)}
    for protocol in PROTOCOLS:
        found[protocol] = under_load(bench, peer, drive=_h2load(peer.https, protocol))
    peer.check(context)
    return found


def _h2load(https, protocol):
    """Load by h2load, which does what `load.wrk` does, at the port `https`."""
    def drive(_, path, headers, seconds, on):
        listed = [argument for name, value in headers.items() for argument in ("-H", f"{name}: {value}")]
        command = [programs.find("h2load"), "-t1", *PROTOCOLS[protocol], f"-D{seconds}", "--warm-up-time=0",
                   f"--tls13-ciphers={CIPHER}", "--groups=X25519", *listed, f"https://127.0.0.1:{https}{path}"]
        done = subprocess.run(pinned(command, on), text=True, capture_output=True)
        agreed = dict(re.findall(r"^([\w ]+): (.+)$", done.stdout, re.MULTILINE))
        wrong = {name: agreed.get(name) for name, value in {**AGREED, "Application protocol": protocol}.items()
                 if agreed.get(name) != value}
        if done.returncode or wrong:
            raise Failure(f"h2load: not agreed on as expected: {wrong}\n{done.stdout[-2000:]}{done.stderr}")
        succeeded, failed = map(int, re.search(r"(\d+) succeeded, (\d+) failed", done.stdout).groups())
        right = int(re.search(r"status codes: (\d+) 2xx", done.stdout).group(1))
        if failed or not succeeded or right != succeeded:
            raise Failure(f"h2load: {succeeded} answers, {right} of them right, {failed} failed")
        return Load(succeeded, float(seconds))
    return drive
