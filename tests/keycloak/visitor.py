"""A browser without a window: it keeps cookies, follows redirections, and fills in Keycloak's form."""

import html
import re
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from keycloak import PASSWORD
from machine import ask, check

REDIRECTIONS = (301, 302, 303, 307, 308)


class Visitor:
    """Somebody with cookies of each host."""

    def __init__(self):
        self.jars = {}

    def send(self, method, url, form=None):
        """One request: status, headers and text of the answer. Cookies are kept, whether they are for TLS alone or not."""
        parts = urlsplit(url)
        jar = self.jars.setdefault(parts.netloc, {})
        headers = {"Host": parts.netloc, "Accept": "text/html"}
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        body = None if form is None else urlencode(form)
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        status, answered, text = ask(parts.port, method, path, body, headers)
        for line in answered.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            is_gone = not value or re.search(r";\s*max-age=0", line, re.I)
            jar.pop(name, None) if is_gone else jar.__setitem__(name, value)
        return status, answered, text.decode(errors="replace")

    def step(self, method, url, form=None):
        """Where one request is redirected to."""
        status, headers, text = self.send(method, url, form)
        if status not in REDIRECTIONS:
            raise AssertionError(f"{method} {url.split('?')[0]}: {status} instead of a redirection: {text[:400]}")
        return urljoin(url, headers["Location"])

    def begin(self, gateway, return_to="/"):
        """Asks the gateway to be signed in: Keycloak's address, with all that the gateway asks it for."""
        return self.step("GET", f"{gateway.base}/gateway/oidc/keycloak/login?{urlencode({'return_to': return_to})}")

    def at_keycloak(self, url, name):
        """Signs in there, unless that was done before: the address of the callback, with the code."""
        status, headers, text = self.send("GET", url)
        if status in REDIRECTIONS:
            return urljoin(url, headers["Location"])
        form = re.search(r'id="kc-form-login"[^>]*action="([^"]+)"', text)
        if not form:
            raise AssertionError(f"Keycloak shows no form: {status} {text[:400]}")
        return self.step("POST", html.unescape(form[1]), {"username": name, "password": PASSWORD, "credentialId": ""})

    def sign_in(self, gateway, name):
        """The whole way: the session's cookie, as a header has it."""
        callback = self.at_keycloak(self.begin(gateway), name)
        check("back at the gateway", callback.split("?")[0], f"{gateway.base}/gateway/oidc/keycloak/callback")
        check("where the callback leads", self.step("GET", callback), f"{gateway.base}/")
        return self.session(gateway)

    def session(self, gateway):
        jar = self.jars[urlsplit(gateway.base).netloc]
        return f"influxdb-oss-session={jar['influxdb-oss-session']}"


def parameter(url, name):
    """The only value of a parameter in the query of `url`."""
    [value] = parse_qs(urlsplit(url).query)[name]
    return value
