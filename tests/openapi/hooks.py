"""Keeps schemathesis signed in, though signing out and new passwords are among what it tries."""

import base64
import json
import os

import requests
import schemathesis

API = os.environ["GATEWAY_URL"] + "/api/v2"
NAME = os.environ["GATEWAY_USER"]
COOKIE = "influxdb-oss-session"

password = os.environ["GATEWAY_PASSWORD"]
session = None


def basic():
    """The user's name and present password."""
    return "Basic " + base64.b64encode(f"{NAME}:{password}".encode()).decode()


@schemathesis.auth(refresh_interval=None)
class SignedIn:
    """Gives every case a session that is alive and the right password, needed or not."""

    def get(self, case, context):
        global session
        if requests.get(f"{API}/me", cookies={COOKIE: session}).status_code != 200:
            answer = requests.post(f"{API}/signin", headers={"Authorization": basic()})
            assert answer.status_code == 204, f"the present password is refused: {answer.text}"
            session = answer.cookies[COOKIE]
        return session

    def set(self, case, session, context):
        case.cookies[COOKIE] = session
        case.headers["Authorization"] = basic()


@schemathesis.hook
def after_call(context, case, response):
    """Takes note of a new password; the next case signs in with it, so it must hold."""
    global password, session
    if response.request.url.endswith("/password") and response.status_code == 204:
        password = json.loads(response.request.body)["password"]
        session = None


@schemathesis.hook
def filter_body(context, body):
    """JSON Schema counts characters, passwords are counted in bytes: leaves out where that differs."""
    text = body.get("password") if isinstance(body, dict) else None
    if not isinstance(text, str):
        return True
    fits = [8 <= length <= 72 for length in (len(text), len(text.encode(errors="surrogatepass")))]
    return fits[0] == fits[1]
