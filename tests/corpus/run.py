#!/usr/bin/env python3
"""Replays the corpus against a proxy: bytes in, what must come out, what the upstream may see.

The upstream is part of this program and records every byte it gets. Everything runs in one thread
and one case at a time, so whatever reaches the upstream belongs to the case that is running. After
each case an ordinary request goes through the proxy: bytes that the case left behind on a pooled
connection come before it and are seen. The format of the cases is in README.md.
"""

import argparse
import base64
import collections
import fnmatch
import json
import pathlib
import re
import selectors
import socket
import sys
import time

# How long one case waits for what must happen. A good proxy never lets it pass.
PATIENCE = 2.0

# Marks the requests of this program that are no part of a case.
END = "corpus-end="

# Of this hop only: a proxy forwards none of them.
HOP_BY_HOP = {
    "connection", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authorization",
    "proxy-connection", "te", "trailer", "upgrade",
}

# Refusals of the request itself carry the body {"code":…,"message":…}.
WITH_CODE = {400, 413, 414, 417, 431, 501, 505}

REPEAT = re.compile(r"\{(\d+)\*([^{}]*)\}")


def text_of(data):
    return data.decode("latin-1")


def parse_head(head):
    """The first line and the headers, names in lower case."""
    first, *lines = text_of(head).split("\r\n")
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name.lower(), value.strip(" \t")))
    return first, headers


def values(headers, name):
    return [value for other, value in headers if other == name]


def parse_chunks(data):
    """A chunked body and how many bytes it takes; None while it is incomplete."""
    body, at = b"", 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        size = data[at:end].split(b";")[0]
        if not re.fullmatch(rb"[0-9a-fA-F]+", size):
            raise ValueError(size)
        size = int(size, 16)
        if size == 0:
            end = data.find(b"\r\n\r\n", end)
            return None if end < 0 else (body, end + 4)
        at = end + 2 + size + 2
        if len(data) < at:
            return None
        body += data[end + 2:at - 2]


def parse_body(headers, data):
    """A body framed by the headers and how many bytes it takes; None while it is incomplete."""
    if values(headers, "transfer-encoding"):
        return parse_chunks(data)
    length = int((values(headers, "content-length") or ["0"])[0])
    return (data[:length], length) if len(data) >= length else None


class Request:
    """A complete request as the upstream saw it."""

    def __init__(self, line, headers, body):
        self.line, self.headers, self.body = line, headers, text_of(body)


class Connection:
    """The upstream's side of one connection."""

    def __init__(self, sock):
        self.sock, self.data = sock, b""
        self.open, self.continued = True, False

    def request(self):
        """The next complete request, if there is one. What is no request raises ValueError."""
        head, separator, rest = self.data.partition(b"\r\n\r\n")
        if not separator:
            return None
        line, headers = parse_head(head)
        if not re.fullmatch(r"\S+ \S.* HTTP/1\.[01]", line):
            raise ValueError(line)
        body = parse_body(headers, rest)
        if body is None:
            if values(headers, "expect") and not self.continued:
                self.continued = True
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        self.data, self.continued = rest[body[1]:], False
        return Request(line, headers, body[0])

    def send(self, data):
        try:
            self.sock.send(data)
        except OSError:
            self.open = False


class Upstream:
    """Answers everything with 200, and remembers what came."""

    def __init__(self, selector, port):
        self.selector = selector
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.listener.setblocking(False)
        selector.register(self.listener, selectors.EVENT_READ, lambda _: self.accept())
        self.connections = []
        self.forget()

    def forget(self):
        """Begins a new case."""
        self.requests, self.received, self.garbage = [], b"", []

    def accept(self):
        sock, _ = self.listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock)
        self.connections.append(connection)
        self.selector.register(sock, selectors.EVENT_READ, lambda _: self.read(connection))

    def read(self, connection):
        try:
            data = connection.sock.recv(1 << 20)
        except OSError:
            data = b""
        connection.data += data
        before = connection.data
        try:
            while request := connection.request():
                taken = before[:len(before) - len(connection.data)]
                before = connection.data
                self.answer(connection, request, taken)
        except ValueError:
            self.garbage.append(text_of(connection.data))
            data = b""
        if not data or not connection.open:
            # What was begun and never completed.
            self.received += connection.data
            self.close(connection)

    def answer(self, connection, request, taken):
        path = request.line.split(" ")[1]
        own = (values(request.headers, "user-agent") or [""])[0].startswith("influx-gateway/")
        probe = END in path
        if not probe and not (own and path == "/ping"):
            self.requests.append(request)
            self.received += taken
        body = "" if request.line.startswith("HEAD ") else "ok\n"
        close = request.line.endswith("1.0") or "close" in values(request.headers, "connection")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {3}\r\n"
        head += f"X-Corpus-End: {path.partition(END)[2]}\r\n" if probe else ""
        head += "Connection: close\r\n" if close else ""
        connection.send((head + "\r\n" + body).encode("latin-1"))
        connection.open = connection.open and not close

    def unfinished(self):
        """Connections that hold the beginning of a request."""
        return [connection for connection in self.connections if connection.data]

    def close(self, connection):
        self.selector.unregister(connection.sock)
        connection.sock.close()
        self.connections.remove(connection)

    def hang_up(self):
        for connection in list(self.connections):
            self.close(connection)


class Answer:
    def __init__(self, line, headers, body):
        self.status = int(line.split(" ")[1])
        self.headers, self.body = headers, text_of(body)
        self.is_end = bool(values(headers, "x-corpus-end"))

    def __str__(self):
        return str(self.status)


def parse_answers(data, is_head, closed):
    """The complete final answers in what a client received."""
    answers = []
    while True:
        head, separator, rest = data.partition(b"\r\n\r\n")
        if not separator or not head.startswith(b"HTTP/1."):
            return answers
        line, headers = parse_head(head)
        status = int(line.split(" ")[1])
        if 100 <= status < 200 and status != 101:
            data = rest
            continue
        bodiless = status in (101, 204, 304) or (is_head and not answers)
        framed = values(headers, "transfer-encoding") or values(headers, "content-length")
        if bodiless:
            body = (b"", 0)
        elif framed:
            body = parse_body(headers, rest)
        else:
            body = (rest, len(rest)) if closed else None
        if body is None:
            return answers
        answers.append(Answer(line, headers, body[0]))
        data = rest[body[1]:]


class Client:
    """One connection to the proxy."""

    def __init__(self, selector, target, is_head=False):
        self.selector, self.is_head = selector, is_head
        self.pending, self.data, self.closed, self.finish = b"", b"", False, False
        self.sock = socket.create_connection(target, PATIENCE)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(self.sock, selectors.EVENT_READ, self.work)

    def send(self, data, finish=False):
        self.pending += data
        self.finish = finish
        if not self.closed:
            both = selectors.EVENT_READ | selectors.EVENT_WRITE
            self.selector.modify(self.sock, both, self.work)

    def work(self, mask):
        if mask & selectors.EVENT_WRITE:
            try:
                self.pending = self.pending[self.sock.send(self.pending):]
            except OSError:
                # The proxy wants no more; its answer is still to be read.
                self.pending = b""
            if not self.pending:
                self.selector.modify(self.sock, selectors.EVENT_READ, self.work)
                if self.finish:
                    try:
                        self.sock.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
        if mask & selectors.EVENT_READ and not self.closed:
            try:
                data = self.sock.recv(1 << 20)
            except OSError:
                data = b""
            self.data += data
            if not data:
                self.closed = True
                self.selector.unregister(self.sock)

    def answers(self):
        return parse_answers(self.data, self.is_head, self.closed)

    def close(self):
        if not self.closed:
            self.selector.unregister(self.sock)
        self.sock.close()


def as_list(value):
    return value if isinstance(value, list) else [value]


def describe(status):
    return "/".join(map(str, as_list(status)))


class Runner:
    def __init__(self, options):
        self.options = options
        self.selector = selectors.DefaultSelector()
        self.upstream = Upstream(self.selector, options.upstream_listen)
        if options.target == "-":
            # Whoever starts the proxy learns first where it is to forward to.
            print(self.upstream.listener.getsockname()[1], flush=True)
            options.target = sys.stdin.readline().strip()
        host, _, port = options.target.rpartition(":")
        self.target = (host.strip("[]"), int(port))
        self.cookie, self.probes = "", 0
        self.token = "corpus-token"
        self.basic = "Basic " + base64.b64encode(options.user.encode()).decode()

    def wait(self, condition, seconds=PATIENCE):
        """Serves every socket until the condition holds; says whether it does."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.serve(left)
        return True

    def serve(self, seconds):
        events = self.selector.select(seconds)
        for key, mask in events:
            # One event may have closed the socket of another.
            if self.selector.get_map().get(key.fd) is key:
                key.data(mask)
        return events

    def settle(self):
        """Takes in whatever has already arrived."""
        while self.serve(0):
            pass

    def exchange(self, request):
        """One ordinary request on a connection of its own."""
        client = Client(self.selector, self.target)
        client.send(request.encode("latin-1"))
        self.wait(lambda: client.closed)
        client.close()
        answers = client.answers()
        return answers[0] if answers else None

    def request(self, method, path, header):
        return self.exchange(
            f"{method} {path} HTTP/1.1\r\nHost: gateway.test\r\n{header}\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n"
        )

    def sign_in(self):
        """Keeps the session, or opens a new one if a case has ended it."""
        if self.options.plain:
            return
        if self.cookie:
            answer = self.request("GET", "/api/v2/me", f"Cookie: {self.cookie}")
            if answer and answer.status == 200:
                return
        answer = self.request("POST", "/api/v2/signin", f"Authorization: {self.basic}")
        if not answer or answer.status != 204:
            sys.exit(f"sign-in at {self.options.target} failed: {answer}")
        self.cookie = values(answer.headers, "set-cookie")[0].split(";")[0]

    def probe_request(self):
        self.probes += 1
        return (
            f"GET /health?{END}{self.probes} HTTP/1.1\r\nHost: gateway.test\r\n"
            "Connection: close\r\n\r\n"
        ).encode()

    def expand(self, text):
        text = REPEAT.sub(lambda match: match[2] * int(match[1]), text)
        for name in ("cookie", "token", "basic"):
            text = text.replace("{" + name + "}", getattr(self, name))
        return text

    def run(self, case):
        """Replays one case; returns what is wrong and whether it got past the proxy."""
        expect = case["expect"]
        self.upstream.forget()
        send = self.expand(case["send"])
        client = Client(self.selector, self.target, send.startswith("HEAD "))
        client.send(send.encode("latin-1"), case.get("finish", False))

        least = min(as_list(expect.get("answers", 1)))
        enough = self.wait(lambda: client.closed or len(client.answers()) >= least)
        if enough and not case.get("finish"):
            # Whatever the case still has answered comes before the answer to this; a connection
            # that must be closed by now does not answer it at all.
            client.send(self.probe_request())
            self.wait(lambda: client.closed or any(a.is_end for a in client.answers()))
        elif enough:
            self.wait(lambda: client.closed)
        client.close()
        if not any(answer.is_end for answer in client.answers()):
            self.exchange(self.probe_request().decode())
        self.settle()
        # Of a request that was broken off, the upstream learns by the end of its connection.
        dropped = self.wait(lambda: not self.upstream.unfinished(), 0.5)

        problems = self.judge(case, client)
        if not dropped:
            held = [text_of(c.data)[:80] for c in self.upstream.unfinished()]
            problems.append(f"left on an open upstream connection: {held}")
        passed_through = self.passed_through(case, client)
        if problems:
            # The next case begins with an upstream that knows nothing of this one.
            self.upstream.hang_up()
            self.settle()
        return problems, passed_through

    def passed_through(self, case, client):
        """Whether more than allowed reached the upstream."""
        upstream = case["upstream"]
        allowed = upstream["count"] if upstream else 0
        seen = len(self.upstream.requests)
        return bool(seen > allowed or self.upstream.garbage or self.upstream.unfinished())

    def judge(self, case, client):
        expect, problems = case["expect"], []
        answers = [answer for answer in client.answers() if not answer.is_end]
        first = answers[0].status if answers else None

        wanted = as_list(expect["status"])
        closed = client.closed and len(answers) == len(client.answers())
        by_closing = "close" in wanted and closed and (first is None or first >= 400)
        if first not in wanted and not by_closing:
            problems.append(f"status {first}, not {describe(expect['status'])}")
        if not by_closing and len(answers) not in as_list(expect.get("answers", 1)):
            got = [answer.status for answer in answers]
            problems.append(f"answers {got}, not {describe(expect.get('answers', 1))} of them")
        for answer, status in zip(answers[1:], expect.get("then", [])):
            if answer.status not in as_list(status):
                problems.append(f"then status {answer.status}, not {describe(status)}")
        if expect.get("closed") and not closed:
            problems.append("the connection stays open")
        if answers and not self.options.plain:
            problems += self.judge_answer(expect, answers[0])

        refused = first is None or first >= 400
        upstream = case["upstream"]
        if refused and 200 in wanted and (first in wanted or by_closing):
            # Where a refusal is allowed too, nothing complete may have been forwarded by it.
            upstream = {"count": 0} if by_closing else None
        return problems + self.judge_upstream(upstream)

    def judge_answer(self, expect, answer):
        problems = []
        if answer.status in WITH_CODE and not values(answer.headers, "x-corpus-end"):
            try:
                body = json.loads(answer.body)
                code, _ = body["code"], body["message"]
            except (ValueError, KeyError, TypeError):
                code = None
                problems.append(f"body {answer.body[:60]!r}, not code and message")
            if code and answer.status == expect.get("status") and code != expect.get("code", code):
                problems.append(f"code {code!r}, not {expect['code']!r}")
            if values(answer.headers, "server"):
                problems.append("the answer names the server")
        problems += judge_headers("the answer", expect, answer.headers)
        if expect.get("never", "\0") in answer.body:
            problems.append(f"the answer repeats {expect['never']!r}")
        return problems

    def judge_upstream(self, expected):
        seen, problems = self.upstream, []
        if seen.garbage:
            problems.append(f"no request, on an upstream connection: {seen.garbage[0][:80]!r}")
        if expected is None:
            if seen.received:
                problems.append(f"reached the upstream: {text_of(seen.received)[:80]!r}")
            return problems
        if len(seen.requests) != expected["count"]:
            lines = [request.line for request in seen.requests]
            problems.append(f"upstream requests {lines}, not {expected['count']}")
        for request in seen.requests:
            problems += self.judge_request(request)
        lines = expected.get("lines", [expected["line"]] if "line" in expected else [])
        for request, line in zip(seen.requests, lines):
            got = request.line
            if self.options.plain:
                # The version of the upstream connection is the proxy's to choose.
                got, line = got.rpartition(" ")[0], line.rpartition(" ")[0]
            if got != line:
                problems.append(f"upstream line {got!r}, not {line!r}")
        if seen.requests:
            request = seen.requests[0]
            if "body" in expected and request.body != self.expand(expected["body"]):
                problems.append(f"upstream body {request.body[:60]!r}")
            if not self.options.plain:
                problems += judge_headers("upstream", expected, request.headers)
        received = text_of(seen.received)
        if not self.options.plain and expected.get("never", "\0") in received:
            problems.append(f"the upstream saw {expected['never']!r}")
        return problems

    def judge_request(self, request):
        """What holds for every request that is forwarded."""
        names = collections.Counter(name for name, _ in request.headers)
        problems = []
        if names["content-length"] + names["transfer-encoding"] > 1:
            problems.append("upstream framing is ambiguous")
        if names["host"] != 1:
            problems.append(f"upstream has {names['host']} Host headers")
        for name in HOP_BY_HOP & set(names):
            # A proxy may say of its own connection whether it goes on.
            own = values(request.headers, name) in (["close"], ["keep-alive"])
            if not (self.options.plain and name == "connection" and own):
                problems.append(f"upstream has {name}")
        if not self.options.plain:
            folded = [re.sub("[_.]", "-", name) for name, _ in request.headers]
            if folded.count("x-forwarded-user") > 1:
                problems.append("upstream has more than one identity")
            if any(self.cookie.partition("=")[2] in value for _, value in request.headers):
                problems.append("the session cookie reached the upstream")
        return problems


def judge_headers(where, expected, headers):
    problems = []
    for name, want in expected.get("has", {}).items():
        got = values(headers, name)
        want = as_list(want)
        if len(got) != len(want) or not all(map(matches, got, want)):
            problems.append(f"{where} has {name} {got}, not {want}")
    for name in expected.get("hasnt", []):
        if values(headers, name):
            problems.append(f"{where} has {name} {values(headers, name)}")
    return problems


def matches(got, want):
    return fnmatch.fnmatchcase(got, want) if "*" in want else got == want


def load(folder, only):
    cases = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            try:
                case = json.loads(line)
            except ValueError as error:
                sys.exit(f"{path.name}:{number}: {error}")
            if case["id"].startswith(only) or case["class"].startswith(only):
                cases.append(case)
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", required=True, metavar="HOST:PORT",
                        help="the proxy; - to print the upstream's port and read it from a line")
    parser.add_argument("--upstream-listen", required=True, type=int, metavar="PORT",
                        help="where the proxy forwards to, on 127.0.0.1; 0 for any free one")
    parser.add_argument("--plain", action="store_true",
                        help="the proxy knows no users: only framing, paths and hosts are judged")
    parser.add_argument("--user", default="ada:correct horse", metavar="NAME:PASSWORD")
    parser.add_argument("--only", default="", metavar="PREFIX", help="of an id or a class")
    parser.add_argument("--json", action="store_true", help="one line a case")
    options = parser.parse_args()

    started = time.monotonic()
    runner = Runner(options)
    cases = load(pathlib.Path(__file__).parent, options.only)
    runner.sign_in()
    failures, passed, skipped, through = [], 0, 0, 0
    for case in cases:
        if options.plain and case.get("needs") == "gateway":
            skipped += 1
            continue
        began = time.monotonic()
        problems, passed_through = runner.run(case)
        if problems or "/signout" in case["send"]:
            runner.sign_in()
        if problems:
            failures.append((case, problems))
            through += passed_through
        else:
            passed += 1
        if options.json:
            print(json.dumps({
                "id": case["id"], "class": case["class"], "problems": problems,
                "through": passed_through, "seconds": round(time.monotonic() - began, 3),
            }))
    if failures and not options.json:
        width = max(len(case["id"]) for case, _ in failures)
        for case, problems in failures:
            print(f"{case['id']:{width}}  {'; '.join(problems)}")
    if skipped:
        print(f"{skipped} left out: they are about users")
    print(f"{time.monotonic() - started:.1f} s; of the failures, {through} let through more than "
          "they should")
    print(f"{passed} passed, {len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
