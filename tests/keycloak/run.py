"""Single sign-on with a real Keycloak, a real browser and a real InfluxDB: `make test-keycloak` calls this.

    python3 tests/keycloak/run.py [TEST ...]        all, or those whose names have one of these words in them
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import guide
from keycloak import GROUPS, PASSWORD, SECRET
from machine import ROOT, check, free_port, say, wait_until
from visitor import Visitor, parameter
from world import REFRESH, World

COUNT = 'from(bucket: "weather") |> range(start: -1h) |> group() |> count()'


def write(gateway, value, **credential):
    """The status of a point that is written."""
    line = f"probe value={value} {time.time_ns()}"
    return gateway.ask("POST", "/api/v2/write?org=home&bucket=weather", line, **credential)[0]


def read(gateway, **credential):
    """Status and answer of a query."""
    return gateway.ask("POST", "/api/v2/query?org=home", COUNT, Content_Type="application/vnd.flux", **credential)


def me(gateway, **credential):
    """Whom the gateway takes for it, and 401 for nobody."""
    status, body = gateway.ask("GET", "/api/v2/me", **credential)
    return json.loads(body)["name"] if status == 200 else status


def refreshed(gateway, session, what, condition):
    """Uses the session until `condition` holds, which needs a refresh."""
    wait_until(what, lambda: me(gateway, Cookie=session) and condition(), 10 * REFRESH + 10)


def a_program_writes_with_a_jwt_by_client_credentials(world):
    gateway, jwt = world.gateway, world.keycloak.program_token()
    for scheme in ("Token", "Bearer"):
        credential = {"Authorization": f"{scheme} {jwt}"}
        check(f"me by {scheme}", me(gateway, **credential), "service-account-telegraf")
        check(f"write by {scheme}", write(gateway, 1, **credential), 204)
        status, found = read(gateway, **credential)
        check(f"query by {scheme}", (status, b",probe" in found or b"_result" in found), (200, True))
    head, claims, signature = jwt.split(".")
    forged = f"{head}.{claims}.{signature[:-8]}AAAAAAAA"
    check("forged", write(gateway, 1, Authorization=f"Token {forged}"), 401)


def a_person_signs_in_in_a_browser_and_lands_in_influxdbs_pages(world):
    seen = browse(world.gateway, "ada")
    check_journey(world.gateway, world.keycloak, seen)


def check_journey(gateway, keycloak, seen):
    """Whether somebody called ada has come to InfluxDB's pages, and nobody has seen what is secret."""
    check("the gateway's page", seen["page"], "/gateway/")
    check("the provider's button", seen["button"], "Sign in with Example Corp")
    check("the form is Keycloak's", seen["form"], keycloak.base)
    # No code, and nothing else of the sign-in, stays in the address.
    check("where it ends", seen["landed"], "/")
    user, org, buckets = seen["home"]
    # And a bucket of the guide's, where that was followed before.
    check("whom InfluxDB's pages show", [user, org, "weather" in buckets.split()], ["ada", "home", True])
    check("the cookie", seen["cookie"], {"path": "/api/", "sameSite": "Strict", "httpOnly": True, "secure": False})
    check("after a reload", seen["reloaded"], seen["home"])
    check("signed out", seen["signed_out"], "/gateway/")
    check("and signed in again", seen["again"], seen["home"])
    check("the way back in the history", seen["history"], "/")
    check("unexpected", seen["unexpected"], [])
    audit = gateway.folder / "audit.jsonl"
    log = gateway.log() + (audit.read_text() if audit.exists() else "")
    for name in ("code", "state"):
        for secret in seen["secrets"][name]:
            assert secret not in log, f"{name} is in the log"


def browse(gateway, name):
    """What the browser tells."""
    script = ROOT / "tests/clients/javascript/keycloak.mjs"
    environment = {"BASE": gateway.base, "USER_NAME": name, "PASSWORD": PASSWORD, "PATH": "/usr/bin:/bin",
                   "HOME": str(gateway.folder)}
    done = subprocess.run(["node", script], env=environment, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise AssertionError(f"the browser: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def a_stranger_follows_the_guide(world):
    """The page's own commands set up Keycloak and InfluxDB, and its own configuration is the gateway's."""
    keycloak, folder, port = world.keycloak, world.of("guide"), free_port()
    said = guide.follow(folder, keycloak, world.influxd, port)
    assert "service-account-telegraf" in said, f"explain says nothing of the program: {said}"
    gateway = world.run_gateway(folder, port)
    check_journey(gateway, keycloak, browse(gateway, "ada"))
    jwt = (folder / "token.txt").read_text().strip()
    check("a program's write", write(gateway, 1, Authorization=f"Token {jwt}"), 204)
    # The administrator ends the session that the browser has left.
    [user] = keycloak.admin("GET", "/main/users?exact=true&username=ada")
    for session in keycloak.admin("GET", f"/main/users/{user['id']}/sessions"):
        keycloak.admin("DELETE", f"/main/sessions/{session['id']}")
    wait_until("Keycloak has told of it", lambda: "keycloak has ended 1 sessions" in gateway.log(), 10)


def a_code_counts_once_and_for_whoever_asked_for_it(world):
    gateway, keycloak = world.gateway, world.keycloak
    visitor = Visitor()
    callback = visitor.at_keycloak(visitor.begin(gateway), "bob")
    before = {host: dict(jar) for host, jar in visitor.jars.items()}
    stranger = Visitor()
    check("the code in another browser", stranger.send("GET", callback)[0], 400)
    check("at the right one", visitor.step("GET", callback), f"{gateway.base}/")
    check("the session", me(gateway, Cookie=visitor.session(gateway)), "bob")
    visitor.jars = before
    check("the same code once more, with the cookie it came with", visitor.send("GET", callback)[0], 400)
    assert "influxdb-oss-session" not in json.dumps(visitor.jars), "there is a second session"
    state = parameter(visitor.begin(gateway), "state")
    again = callback.replace(parameter(callback, "state"), state)
    check("the same code in another sign-in", visitor.send("GET", again)[0], 401)
    assert "influxdb-oss-session" not in json.dumps(visitor.jars), "there is a third session"
    code = {"grant_type": "authorization_code", "code": parameter(callback, "code"), "client_id": "influx-gateway",
            "client_secret": SECRET, "redirect_uri": callback.split("?")[0]}
    status, answer = keycloak.token(**code)
    check("the code at Keycloak itself", (status, answer["error"]), (400, "invalid_grant"))


def keycloak_wants_the_verifier_that_only_the_gateway_has(world):
    gateway, keycloak = world.gateway, world.keycloak
    for more in ({}, {"code_verifier": "x" * 43}):
        visitor = Visitor()
        asked = visitor.begin(gateway)
        check("the method", parameter(asked, "code_challenge_method"), "S256")
        callback = visitor.at_keycloak(asked, "cleo")
        status, answer = keycloak.token(
            grant_type="authorization_code", code=parameter(callback, "code"), client_id="influx-gateway",
            client_secret=SECRET, redirect_uri=callback.split("?")[0], **more)
        check(f"with {more or 'no verifier'}", (status, answer["error"]), (400, "invalid_grant"))
        assert "PKCE" in answer["error_description"], answer


def who_leaves_a_group_loses_what_it_grants(world):
    gateway, keycloak = world.gateway, world.keycloak
    visitor = Visitor()
    session = visitor.sign_in(gateway, "dora")
    check("a writer writes", write(gateway, 1, Cookie=session), 204)
    keycloak.move("dora", *GROUPS)
    refreshed(gateway, session, "a reader may not write", lambda: write(gateway, 1, Cookie=session) == 403)
    check("a reader reads", read(gateway, Cookie=session)[0], 200)
    keycloak.move("dora", GROUPS[1], None)
    refreshed(gateway, session, "nobody's reader may not read", lambda: read(gateway, Cookie=session)[0] in (401, 403))


def new_keys_of_keycloak_are_noticed_by_nobody(world):
    gateway, keycloak = world.gateway, world.keycloak
    session = Visitor().sign_in(gateway, "emil")
    old = keycloak.program_token()
    keycloak.rotate()
    new = keycloak.program_token()
    assert old.split(".")[0] != new.split(".")[0], "the key is the same"
    check("a JWT by the new key", write(gateway, 1, Authorization=f"Token {new}"), 204)
    check("one by the old key", write(gateway, 1, Authorization=f"Token {old}"), 204)
    check("a sign-in", me(gateway, Cookie=Visitor().sign_in(gateway, "emil")), "emil")
    # A refresh has the new key too.
    until = time.monotonic() + 2 * REFRESH + 1
    while time.monotonic() < until:
        check("the session from before", me(gateway, Cookie=session), "emil")
        time.sleep(0.2)


def an_administrator_signs_somebody_out(world):
    gateway, keycloak = world.gateway, world.keycloak
    sign_in = lambda name: Visitor().sign_in(gateway, name)
    sessions, other = [sign_in("fay"), sign_in("fay")], sign_in("bob")
    seen = lambda: [me(gateway, Cookie=session) for session in sessions]
    check("signed in", seen(), ["fay"] * 2)
    count, said = len(gateway.audit()), len(gateway.log())
    ended = lambda: sum(map(int, re.findall(r"keycloak has ended (\d+) sessions", gateway.log()[said:])))
    began = time.monotonic()
    keycloak.end_sessions("fay")
    # Nobody uses them meanwhile: a refresh would find out too.
    wait_until("Keycloak has told of both sessions", lambda: ended() == 2, 10)
    say(f"told of both sessions {time.monotonic() - began:.2f} s after the administrator began")
    check("both are over", seen(), [401, 401])
    check("somebody else", me(gateway, Cookie=other), "bob")
    told = [line["event"] for line in gateway.audit()[count:] if line.get("user") == "fay"]
    assert told.count("revoked") == 2, told
    # Of all sessions of a user at once Keycloak tells the first; the next refresh finds out about the others.
    sessions = [sign_in("fay"), sign_in("fay")]
    keycloak.sign_out("fay")
    wait_until("Keycloak has told of one more", lambda: ended() >= 3, 10)
    wait_until("both are over", lambda: seen() == [401, 401], 10 * REFRESH)
    check("somebody else still", me(gateway, Cookie=other), "bob")


def keycloak_restarts_and_nobody_is_signed_out(world):
    """Sessions in use, the whole time."""
    gateway, keycloak = world.gateway, world.keycloak
    sessions = [Visitor().sign_in(gateway, name) for name in ("gus", "hana", "gus", "hana")]
    over, answers = threading.Event(), []

    def use(session):
        while not over.is_set():
            answers.append(gateway.ask("GET", "/api/v2/buckets", Cookie=session)[0])
            time.sleep(0.02)
    users = [threading.Thread(target=use, args=[session]) for session in sessions]
    for user in users:
        user.start()
    try:
        keycloak.stop()
        # Each session has asked in vain by then.
        time.sleep(3 * REFRESH)
        status = Visitor().send("GET", f"{gateway.base}/gateway/oidc/keycloak/login")[0]
        assert status in (303, 503), f"a sign-in meanwhile: {status}"
        keycloak.start()
        time.sleep(3 * REFRESH)
    finally:
        over.set()
        for user in users:
            user.join()
    say(f"{len(answers)} answers")
    check("answers that are not 200", [status for status in answers if status != 200][:5], [])
    assert len(answers) > 500, "hardly anybody asked"
    # Keycloak is asked again: who has lost the group there, is no writer here.
    keycloak.move("gus", *GROUPS)
    refreshed(gateway, sessions[0], "it is asked again", lambda: write(gateway, 1, Cookie=sessions[0]) == 403)


def a_wrong_secret_signs_nobody_in(world):
    gateway = world.start_gateway("stranger", world.port_of_another, "not-" + SECRET)
    visitor = Visitor()
    callback = visitor.at_keycloak(visitor.begin(gateway), "bob")
    status = visitor.send("GET", callback)[0]
    check("the callback", status, 503)
    assert "influxdb-oss-session" not in json.dumps(visitor.jars), "there is a session"
    said = gateway.log()
    assert SECRET not in said and parameter(callback, "code") not in said, "a secret is in the log"


TESTS = [a_stranger_follows_the_guide, a_program_writes_with_a_jwt_by_client_credentials, a_person_signs_in_in_a_browser_and_lands_in_influxdbs_pages,
         a_code_counts_once_and_for_whoever_asked_for_it, keycloak_wants_the_verifier_that_only_the_gateway_has,
         who_leaves_a_group_loses_what_it_grants, new_keys_of_keycloak_are_noticed_by_nobody,
         an_administrator_signs_somebody_out, a_wrong_secret_signs_nobody_in,
         keycloak_restarts_and_nobody_is_signed_out]


def wanted(words):
    return [test for test in TESTS if not words or any(word in test.__name__ for word in words)]


def main():
    folder = Path(tempfile.mkdtemp(prefix="keycloak-"))
    world, passed, failed = World(folder), 0, 0
    try:
        world.start()
        for test in wanted(sys.argv[1:]):
            try:
                test(world)
                say(f"{test.__name__}: passed")
                passed += 1
            except (AssertionError, OSError, subprocess.TimeoutExpired) as why:
                say(f"{test.__name__}: failed: {why}")
                failed += 1
    except (AssertionError, OSError) as why:
        say(f"nothing could be tested: {why}")
        failed += 1
    finally:
        if failed:
            world.tell()
        world.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
