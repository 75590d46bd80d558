"""An identity provider that signs everybody in who is sent to it, without asking; and a browser that is sent there."""

import base64
import hashlib
import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from harness.process import Failure

CLIENT, SECRET = "influx-gateway", "a-secret"


class Provider:
    """It runs in a thread for as long as its `with` block; the name in its tokens is its address."""

    def __init__(self, issuer):
        self.issuer = issuer
        provider = self

        class Handler(BaseHTTPRequestHandler):
            """One connection."""

            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                self.answer(provider.documents().get(self.path))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
                self.answer(provider.tokens(parse_qs(body)) if self.path == "/token" else {})

            def answer(self, document):
                body = json.dumps(document or {}).encode()
                self.send_response(200 if document is not None else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        issuer.name = self.name = f"{self.base}/realm"
        self.jwks = issuer.jwks()

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()

    def documents(self):
        """What can be read."""
        about = {"issuer": self.name, "jwks_uri": f"{self.base}/keys", "token_endpoint": f"{self.base}/token",
                 "authorization_endpoint": f"{self.base}/authorize", "revocation_endpoint": f"{self.base}/revoke",
                 "authorization_response_iss_parameter_supported": True,
                 "code_challenge_methods_supported": ["S256"], "response_types_supported": ["code"],
                 "id_token_signing_alg_values_supported": ["RS256"], "subject_types_supported": ["public"],
                 "backchannel_logout_supported": True, "backchannel_logout_session_supported": True}
        return {"/realm/.well-known/openid-configuration": about, "/keys": self.jwks}

    def tokens(self, form):
        """For a code, which says who and with which nonce; for a refresh token, which says who."""
        kind = form["grant_type"][0]
        if kind == "authorization_code":
            who, nonce, challenge = form["code"][0].split("~")
            if _digest(form["code_verifier"][0]) != challenge:
                return None
            more = {"nonce": nonce}
        else:
            who, more = form["refresh_token"][0].split("~")[0], {}
        return {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300,
                "refresh_token": f"{who}~{time.monotonic_ns()}", "id_token": self.id_token(who, **more)}

    def id_token(self, who, **more):
        """For the session of the same name."""
        claims = self.issuer.claims(sub=f"sub-{who}", sid=f"sid-{who}", aud=CLIENT, azp=CLIENT, typ="ID",
                                    preferred_username=who, **more)
        return self.issuer.sign("RS256", claims)

    def logout_token(self, who):
        """That this session has ended."""
        claims = self.issuer.claims(sub=f"sub-{who}", sid=f"sid-{who}", aud=CLIENT, typ="Logout", events={
            "http://schemas.openid.net/event/backchannel-logout": {}})
        for name in ("preferred_username", "groups", "azp", "scope"):
            del claims[name]
        return self.issuer.sign("RS256", claims, "logout+jwt")


def _digest(verifier):
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Browser:
    """One connection to a gateway, which signs users in one after the other."""

    def __init__(self, gateway, provider):
        self.connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        self.provider = provider

    def ask(self, method, path, body=None, **headers):
        """Status and headers of an answer."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status, answer.headers

    def sign_in(self, who):
        """The cookie of a new session of `who`."""
        status, headers = self.ask("GET", "/gateway/oidc/bench/login?return_to=%2F")
        if status != 303:
            raise Failure(f"the beginning of a sign-in is answered {status}")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(headers["Location"]).query).items()}
        cookie = headers["Set-Cookie"].split(";")[0]
        code = f"{who}~{asked['nonce']}~{asked['code_challenge']}"
        issuer = self.provider.name.replace(":", "%3A").replace("/", "%2F")
        target = f"/gateway/oidc/bench/callback?code={code}&state={asked['state']}&iss={issuer}"
        status, headers = self.ask("GET", target, Cookie=cookie)
        cookies = [line.split(";")[0] for line in headers.get_all("Set-Cookie") or []]
        session = [line for line in cookies if line.startswith("influxdb-oss-session=")]
        if status != 303 or not session:
            raise Failure(f"the end of a sign-in is answered {status}")
        return session[0]
