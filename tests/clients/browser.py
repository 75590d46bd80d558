"""A browser, as far as cookies go: its jar honours Path, Secure and Expires.

As long as it is in use it stays signed in; idle for longer than allowed it is signed out.
"""

import base64
import http.cookiejar
import os
import time
import urllib.error
import urllib.request

IDLE = 1.0  # seconds, the gateway's `session.idle`

jar = http.cookiejar.CookieJar()
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))


def ask(method, path, **headers):
    """The status of the answer, and whether the jar sent a cookie."""
    url = os.environ["GATEWAY_URL"] + path
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with browser.open(request) as answer:
            return answer.status, request.has_header("Cookie")
    except urllib.error.HTTPError as error:
        return error.code, request.has_header("Cookie")


credentials = f"{os.environ['GATEWAY_USER']}:{os.environ['GATEWAY_PASSWORD']}".encode()
basic = "Basic " + base64.b64encode(credentials).decode()
assert ask("POST", "/api/v2/signin", Authorization=basic) == (204, False)
[cookie] = jar
assert (cookie.path, cookie.expires, cookie.secure) == ("/api/", None, False), cookie
assert cookie.has_nonstandard_attr("HttpOnly"), cookie

busy_until = time.monotonic() + 3 * IDLE
while time.monotonic() < busy_until:
    assert ask("GET", "/api/v2/me") == (200, True)
    time.sleep(0.1 * IDLE)
assert ask("GET", "/ping") == (204, False)

time.sleep(1.3 * IDLE)
assert ask("GET", "/api/v2/me") == (401, True)
assert ask("POST", "/api/v2/signout") == (401, True)
print("signed in while busy, signed out when idle")
