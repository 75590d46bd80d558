"""A real Keycloak with a realm of its own, and what its administrator does."""

import json
from urllib.parse import quote, urlencode

from machine import TARGET, Process, answers, ask, free_port, wait_until

HOME = TARGET / "keycloak/keycloak-26.4.0"
REALM = "influx"
ADMIN = {"username": "admin", "password": "admin-of-keycloak"}
PASSWORD = "correct horse"
SECRET = "secret-of-the-client"

# The groups and the time that a token lives, in seconds: short, so that refreshing matters.
GROUPS = ["influx-writers", "influx-readers"]
TOKEN_LIFE = 60

# It need not be fast, and it shares the machine.
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xms64m -Xmx512m -XX:MaxMetaspaceSize=256m -Djava.security.egd=file:/dev/urandom"


class Keycloak:
    """A server whose data is in `folder`."""

    def __init__(self, folder, names):
        self.folder, self.port = folder, free_port()
        # By another name than the gateway's, so that to a browser it is another site.
        self.base = f"http://localhost:{self.port}"
        self.issuer = f"{self.base}/realms/{REALM}"
        self.names = names
        self.start()

    def start(self):
        """Returns when it serves."""
        database = f"jdbc:h2:file:{self.folder}/h2/keycloak;NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE"
        options = {"hostname": self.base, "http-enabled": "true", "http-host": "127.0.0.1", "http-port": self.port,
                   "db-url": database, "cache": "local", "log-level": "warn"}
        command = [HOME / "bin/kc.sh", "start", "--optimized", *(f"--{key}={value}" for key, value in options.items())]
        environment = {"JAVA_OPTS": JAVA, "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN["username"],
                       "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN["password"]}
        self.process = Process(command, self.folder / "keycloak.log", environment)
        up = lambda: answers(self.port, "/realms/master", 200) or not self.process.runs()
        wait_until("Keycloak serves", up, patience=240)
        if not self.process.runs():
            raise AssertionError(f"Keycloak has ended:\n{self.process.tail()}")

    def stop(self):
        self.process.stop(60)

    def token(self, realm=REALM, **form):
        """What its token endpoint answers: status and JSON."""
        path = f"/realms/{realm}/protocol/openid-connect/token"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _, answer = ask(self.port, "POST", path, urlencode(form), headers)
        return status, json.loads(answer)

    def admin(self, method, path, body=None):
        """What the administrator is answered for `path` below the realm: JSON, or nothing."""
        status, granted = self.token("master", grant_type="password", client_id="admin-cli", **ADMIN)
        if status != 200:
            raise AssertionError(f"the administrator: {status} {granted}")
        headers = {"Authorization": f"Bearer {granted['access_token']}", "Content-Type": "application/json"}
        text = None if body is None else json.dumps(body)
        status, _, answer = ask(self.port, method, f"/admin/realms{path}", text, headers)
        if not 200 <= status < 300:
            raise AssertionError(f"{method} {path}: {status} {answer}")
        return json.loads(answer) if answer else None

    def make_realm(self, gateways):
        """The realm, whose client is sent back to each of `gateways`; the first is told who signs out."""
        self.admin("POST", "", realm([gateway for gateway in gateways], self.names))

    def user(self, name):
        """The id of a user."""
        [found] = self.admin("GET", f"/{REALM}/users?exact=true&username={quote(name)}")
        return found["id"]

    def move(self, name, old, new):
        """Another group for a user."""
        groups = {group["name"]: group["id"] for group in self.admin("GET", f"/{REALM}/groups")}
        user = self.user(name)
        self.admin("DELETE", f"/{REALM}/users/{user}/groups/{groups[old]}")
        if new:
            self.admin("PUT", f"/{REALM}/users/{user}/groups/{groups[new]}")

    def sign_out(self, name):
        """All sessions of a user end."""
        self.admin("POST", f"/{REALM}/users/{self.user(name)}/logout")

    def end_sessions(self, name):
        """The sessions of a user end, one after the other."""
        for session in self.admin("GET", f"/{REALM}/users/{self.user(name)}/sessions"):
            self.admin("DELETE", f"/{REALM}/sessions/{session['id']}")

    def rotate(self):
        """A new key, by which all is signed from now on: its id."""
        realm = self.admin("GET", f"/{REALM}")["id"]
        config = {"priority": ["200"], "enabled": ["true"], "active": ["true"], "keySize": ["2048"]}
        self.admin("POST", f"/{REALM}/components", {
            "name": "rotated", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
            "parentId": realm, "config": config})
        return self.admin("GET", f"/{REALM}/keys")["active"]["RS256"]

    def program_token(self):
        """An access token for a program, by client credentials."""
        status, granted = self.token(grant_type="client_credentials", client_id="telegraf", client_secret=SECRET)
        if status != 200:
            raise AssertionError(f"client credentials: {status} {granted}")
        return granted["access_token"]


def realm(gateways, names):
    """As the administrator would import it."""
    groups = {"name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper",
              "config": {"full.path": "false", "claim.name": "groups", "id.token.claim": "true",
                         "access.token.claim": "true", "userinfo.token.claim": "true"}}
    audience = {"name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": "influx-api", "access.token.claim": "true"}}
    place = "{}/gateway/oidc/keycloak/{}"
    gateway = {
        "clientId": "influx-gateway", "secret": SECRET, "publicClient": False, "standardFlowEnabled": True,
        "directAccessGrantsEnabled": False, "redirectUris": [place.format(base, "callback") for base in gateways],
        "protocolMappers": [groups], "frontchannelLogout": False,
        "attributes": {"pkce.code.challenge.method": "S256",
                       "backchannel.logout.url": place.format(gateways[0], "backchannel-logout"),
                       "backchannel.logout.session.required": "true"}}
    program = {"clientId": "telegraf", "secret": SECRET, "publicClient": False, "serviceAccountsEnabled": True,
               "standardFlowEnabled": False, "protocolMappers": [audience]}
    return {"realm": REALM, "enabled": True, "accessTokenLifespan": TOKEN_LIFE,
            "groups": [{"name": name} for name in GROUPS], "clients": [gateway, program],
            "users": [person(name) for name in names]}


def person(name):
    """A user who need not tell anything more about themselves."""
    return {"username": name, "enabled": True, "email": f"{name}@example.test", "emailVerified": True,
            "firstName": name, "lastName": "Example", "groups": [GROUPS[0]],
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}]}
