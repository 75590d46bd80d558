"""Questions made of InfluxDB's OpenAPI, one JSON object a line: argument 1 is its oss.yml.

`{"make": "label", ...}` has something made before any question is asked; its id is `<label>` from then on.
`{"ask": "GET /api/v2/labels", ...}` is a question: `by` whom, with what `headers` and `body`. `same`
says what is the same when another InfluxDB is asked. `<name>` is another name in each body.
"""

import base64
import json
import pathlib
import re
import sys

import yaml

CONTRACT = yaml.load(pathlib.Path(sys.argv[1]).read_text(), Loader=yaml.CSafeLoader)
BODIES = json.loads(pathlib.Path(__file__).with_name("bodies.json").read_text())
JSON = "Content-Type: application/json"
NO_SUCH_ID, NO_ID = "00000000000000ff", "nonsense"

# What there has to be one of, in this order, and how it is made.
MADE = {
    "bucket": "/buckets", "label": "/labels", "user": "/users", "telegraf": "/telegrafs",
    "variable": "/variables", "dashboard": "/dashboards", "cell": "/dashboards/{dashboardID}/cells",
    "task": "/tasks", "run": "/tasks/{taskID}/runs", "check": "/checks",
    "endpoint": "/notificationEndpoints", "rule": "/notificationRules", "dbrp": "/dbrps",
    "stack": "/stacks", "scraper": "/scrapers", "source": "/sources", "remote": "/remotes",
    "replication": "/replications", "authorization": "/authorizations", "other_org": "/orgs",
}  # fmt: skip

# What stands for a parameter of a path.
PARAMETERS = {
    "authID": "<authorization>", "stack_id": "<stack>", "scraperTargetID": "<scraper>", "shardID": "1",
    "secretID": "key", "name": "mean",
}  # fmt: skip

# Values for parameters of a query; each is a question.
QUERY = {
    "orgID": ["<org>", NO_SUCH_ID, NO_ID], "org": ["home", "nobody%27s+org"], "limit": ["1", "0", "x"],
    "offset": ["1", "-1"], "after": ["<user>", NO_ID], "descending": ["true", "x"], "name": ["weather"],
    "id": ["<bucket>", "<dashboard>"], "bucketID": ["<bucket>"], "default": ["true"], "db": ["database"],
    "rp": ["autogen"], "type": ["output", "system"], "owner": ["<user>"], "userID": ["<user>"],
    "user": ["root", "nobody"], "sortBy": ["ID", "UpdatedAt"], "status": ["inactive", "x"],
    "include": ["properties"], "stackID": ["<stack>"], "checkID": ["<check>"], "tag": ["a:b"],
    "remoteID": ["<remote>"], "localBucketID": ["<bucket>"], "remoteURL": ["http%3A%2F%2F127.0.0.1%3A1"],
    "afterTime": ["2020-01-01T00:00:00Z"], "beforeTime": ["x"], "debug": [], "seconds": [],
    "cpu": [], "gc": [], "since": ["2020-01-01T00:00:00Z", "x"],
}  # fmt: skip

# Where InfluxDB's body is another each time, or its head: profiles, metrics, copies of the database.
VARYING = ("/debug/", "/metrics", "/backup/", "/templates/export")
# Lists in the order of ids that are random, and what makes a page of them.
SHUFFLED = ("/buckets", "/orgs", "/sources/{sourceID}/buckets")
PAGE = re.compile("limit=1|offset=1")
# What takes a second or longer to answer, and how it takes no more.
SLOW = {"/debug/pprof/profile": "?seconds=1", "/debug/pprof/trace": "?seconds=1", "/debug/pprof/all": ""}
EVE = "Authorization: Basic " + base64.b64encode(b"eve:correct horse").decode()

numbers = iter(range(1, 1_000_000))


def referred(node):
    while "$ref" in node:
        names, node = node["$ref"][2:].split("/"), CONTRACT
        for name in names:
            node = node[name]
    return node


def operations():
    for path, item in CONTRACT["paths"].items():
        for method in ("get", "head", "post", "put", "patch", "delete"):
            if method in item:
                parameters = item.get("parameters", []) + item[method].get("parameters", [])
                at_root = "servers" in item or "servers" in item[method]
                yield method.upper(), path, at_root, [referred(parameter) for parameter in parameters]


def target(path, at_root=False, value=None):
    """The path with an id for each parameter, or with `value` for the last one."""
    pieces = path.split("/")
    last = max((at for at, piece in enumerate(pieces) if piece.startswith("{")), default=0)
    for at, piece in enumerate(pieces):
        if piece.startswith("{"):
            name = piece.strip("{}")
            pieces[at] = PARAMETERS.get(name, f"<{name.removesuffix('ID')}>")
            if value and at == last:
                pieces[at] = value
    return ("" if at_root else "/api/v2") + "/".join(pieces)


def body_of(method, path):
    """A valid body, if there is one, each time with another name."""
    body = BODIES.get(f"{method} {path}", BODIES.get(f"{method} /*/{path.rsplit('/', 1)[-1]}"))
    if body is None:
        return None
    return json.dumps(body, ensure_ascii=False).replace("<name>", f"made_{next(numbers)}")


def say(kind, method, target, **more):
    print(json.dumps({kind: f"{method} {target}"} | more, ensure_ascii=False))


def ask(method, path, at_root, value=None, query="", **more):
    if path.startswith(VARYING):
        more["same"] = "head"
    elif method == "GET" and path in SHUFFLED:
        more["same"] = "head" if PAGE.search(query) else "pieces"
    say("ask", method, target(path, at_root, value) + query, **more)


def make():
    for thing, path in MADE.items():
        print(json.dumps({"make": thing, "path": target(path), "body": body_of("POST", path)}))


def read(method, path, at_root, parameters):
    """Questions that change nothing."""
    asked = {one["name"]: one.get("required") for one in parameters if one["in"] == "query"}
    always = {name: QUERY[name][0] for name, required in asked.items() if required}

    def query(more=()):
        pairs = always | dict(more)
        return "?" + "&".join(f"{name}={value}" for name, value in pairs.items()) if pairs else ""

    if path in SLOW:
        return ask(method, path, at_root, query=SLOW[path])
    ask(method, path, at_root, query=query())
    ask(method, path, at_root, query=query(), by="ada")
    if "{" in path:
        ask(method, path, at_root, NO_SUCH_ID, query())
        ask(method, path, at_root, NO_ID, query())
    for name in asked:
        for value in QUERY[name]:
            if always.get(name) != value and (name, value) != ("after", "<user>" * (path in SHUFFLED)):
                ask(method, path, at_root, query=query([(name, value)]))


def change(method, path, at_root):
    """Questions that change something, without those that delete."""
    body = body_of(method, path)
    for broken in ['{"name": ', "[]", ""] if body else ["nonsense"]:
        if path.startswith("/restore/sh") or path != "/restore/kv":
            ask(method, path, at_root, headers=[JSON], body=broken)
    if body:
        ask(method, path, at_root, headers=[JSON], body=body)
        if "{" in path:
            ask(method, path, at_root, NO_SUCH_ID, headers=[JSON], body=body_of(method, path))
            ask(method, path, at_root, NO_ID, headers=[JSON], body=body_of(method, path))


def delete(method, path, at_root):
    query = "?orgID=<org>" if path.startswith(("/stacks", "/dbrps")) else ""
    for value in (NO_SUCH_ID, NO_ID, "<other_org>" if path == "/orgs/{orgID}" else None):
        ask(method, path, at_root, value, query)


def sessions():
    """Signing in and out, and the own password: with a new session of eve's."""
    say("ask", "POST", "/api/v2/signin", by="nobody", headers=[EVE])
    say("ask", "POST", "/api/v2/signin", by="nobody", headers=[EVE, JSON], body="{}")
    say("ask", "POST", "/api/v2/signin", by="nobody")
    say("ask", "GET", "/api/v2/me", by="eve")
    say("ask", "POST", "/api/v2/signout", by="eve")
    say("ask", "POST", "/api/v2/signout", by="nobody")
    for body in (BODIES["PUT /me/password"], {"password": "short"}):
        # Basic names the old password, so only a session can say whose it is.
        say("ask", "PUT", "/api/v2/me/password", by="eve", headers=[EVE, JSON], body=json.dumps(body))


def wrong_methods():
    known = {}
    for method, path, at_root, _ in operations():
        known.setdefault((path, at_root), set()).add(method)
    for (path, at_root), methods in known.items():
        if path not in SLOW:
            wrong = next(one for one in ("PATCH", "PUT", "DELETE", "POST") if one not in methods)
            ask(wrong, path, at_root)


def main():
    make()
    kinds = list(operations())
    ours = ("/signin", "/signout", "/me/password")
    for method, path, at_root, parameters in kinds:
        if method in ("GET", "HEAD"):
            read(method, path, at_root, parameters)
    for method, path, at_root, _ in kinds:
        if path not in SLOW:
            ask(method, path, at_root, by="nobody")
    sessions()
    for method, path, at_root, _ in kinds:
        if method in ("POST", "PUT", "PATCH") and path not in ours and not path.startswith("/restore"):
            change(method, path, at_root)
    wrong_methods()
    deleting = [one for one in kinds if one[0] == "DELETE"]
    for method, path, at_root, _ in sorted(deleting, key=lambda one: -one[1].count("/")):
        delete(method, path, at_root)
    for method, path, at_root, _ in kinds:
        if path.startswith("/restore"):
            change(method, path, at_root)


main()
