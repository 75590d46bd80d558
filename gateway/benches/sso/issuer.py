"""Keys of an identity provider, and tokens that are signed with them by OpenSSL."""

import base64
import json
import secrets
import subprocess
import time

import programs
from harness.system import run

ALGORITHMS = ("RS256", "ES256")

# Bytes of a signature.
LENGTHS = {"RS256": 256, "ES256": 64}

AUDIENCE = "influx-api"


def encoded(data):
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """An RSA key of 2048 bits and one on P-256, in `folder`."""

    def __init__(self, folder):
        self.openssl, self.name = programs.PROGRAMS.find("openssl"), None
        self.keys = {name: folder / f"{name}.pem" for name in ALGORITHMS}
        options = {"RS256": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                   "ES256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]}
        for name, file in self.keys.items():
            run([self.openssl, "genpkey", *options[name], "-out", file], stderr=subprocess.DEVNULL)

    def jwks(self):
        """The public keys, as a provider shows them."""
        modulus = run([self.openssl, "rsa", "-in", self.keys["RS256"], "-noout", "-modulus"]).strip()
        number = bytes.fromhex(modulus.removeprefix("Modulus="))
        command = [self.openssl, "pkey", "-in", self.keys["ES256"], "-pubout", "-outform", "DER"]
        point = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=True).stdout[-64:]
        return {"keys": [
            {"kty": "RSA", "kid": "RS256", "use": "sig", "alg": "RS256", "n": encoded(number), "e": "AQAB"},
            {"kty": "EC", "kid": "ES256", "use": "sig", "alg": "ES256", "crv": "P-256",
             "x": encoded(point[:32]), "y": encoded(point[32:])},
        ]}

    def sign(self, algorithm, claims, typ="JWT"):
        """A token with these claims."""
        message = self._message(algorithm, claims, typ)
        command = [self.openssl, "dgst", "-sha256", "-sign", self.keys[algorithm]]
        done = subprocess.run(list(map(str, command)), input=message.encode(), stdout=subprocess.PIPE, check=True)
        signature = done.stdout if algorithm == "RS256" else _raw(done.stdout)
        return f"{message}.{encoded(signature)}"

    def forged(self, algorithm, claims):
        """The same with a signature of nobody's, which only a whole verification tells from a good one."""
        # Below every modulus and every order, or it would be refused at a glance.
        half = LENGTHS[algorithm] // 2
        signature = b"\x01" + secrets.token_bytes(half - 1) + b"\x01" + secrets.token_bytes(half - 1)
        return f"{self._message(algorithm, claims, 'JWT')}.{encoded(signature)}"

    def claims(self, **more):
        """As Keycloak has them for a program, more or less; good for an hour, and different each time."""
        now = int(time.time())
        return {"iss": self.name, "sub": "c0ffee00-1234-4321-8888-0123456789ab", "aud": [AUDIENCE, "account"],
                "azp": "telegraf", "typ": "Bearer", "preferred_username": "service-account-telegraf",
                "groups": ["influx-writers", "offline_access"], "scope": "profile email", "iat": now,
                "exp": now + 3600, "jti": secrets.token_hex(16)} | more

    def _message(self, algorithm, claims, typ):
        header = {"alg": algorithm, "typ": typ, "kid": algorithm}
        return f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"


def _raw(signature):
    """The two numbers of a DER signature, 32 bytes each."""
    numbers, rest = b"", signature[2:]
    for _ in range(2):
        length = rest[1]
        numbers += rest[2:2 + length].lstrip(b"\0").rjust(32, b"\0")
        rest = rest[2 + length:]
    return numbers
