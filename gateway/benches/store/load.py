"""Load by `client.c`, and single requests that are timed."""

import socket
import time

from harness.process import Failure

CONNECTIONS = 64

FORWARDED = "204"


def client(place, gateway, requests, kind, count):
    """Sends the text `requests` again and again, `count` in all: what came of it."""
    found = place.load(gateway, requests, kind, count, CONNECTIONS)
    # Lets what the gateway does after its last answer come to its end.
    time.sleep(0.1)
    return found


def sign_in(place, gateway, users, count):
    """So many sign-ins, of `users` users in turn: the cookies."""
    cookies = place.sign_in(gateway, users, count)
    if len(cookies) != count:
        raise Failure(f"{count} sign-ins, but {len(cookies)} cookies")
    return cookies


class Connection:
    """A connection to a gateway, for one request after the other."""

    def __init__(self, gateway):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), 20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        """The head of the answer; its body is empty, or comes with it."""
        self.socket.sendall(request.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            if not (piece := self.socket.recv(65536)):
                raise Failure("the gateway has closed the connection")
            answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
        while len(body) < length:
            body += self.socket.recv(65536)
        return Answer(head.decode())


class Answer:
    """The head of an answer."""

    def __init__(self, head):
        self.head = head
        self.status = int(head.split(" ", 2)[1])

    def cookie(self):
        """What it sets, as name=value."""
        lines = self.head.split("\r\n")
        line = next(line for line in lines if line.lower().startswith("set-cookie:"))
        return line.split(":", 1)[1].split(";")[0].strip()
