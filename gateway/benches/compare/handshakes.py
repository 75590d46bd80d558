"""Handshakes of TLS, one connection after the other, and what each costs the server.

The client is this program. It does more for a handshake than the server does, so the server's core is never
the one that is waited for.
"""

import socket
import ssl
import time

import load
from harness.process import Failure, staying_on
from layout import cores


def measure(bench, peer, context, cipher, resumed):
    """One round of connections that do nothing but agree on keys: CPU of the proxy for each."""
    server = peer.server
    with staying_on(cores()[1]):
        session = _connect(peer, context, cipher, None)
        # The end of a connection is noticed after its beginning: the last of those before.
        load.settle()
        (user, system), cpu = server.user_and_system(), server.cpu()
        count, began = 0, time.monotonic()
        while time.monotonic() < began + bench.seconds:
            session = _connect(peer, context, cipher, session if resumed else None)
            count += 1
        seconds = time.monotonic() - began
        load.settle()
        cpu, (user_after, system_after) = server.cpu() - cpu, server.user_and_system()
    return {"cpu_us": cpu / count * 1e6, "rps": count / seconds, "user_s": user_after - user,
            "system_s": system_after - system}


def _connect(peer, context, cipher, session):
    """A connection that resumes `session`, if there is one; the session for the next."""
    with socket.create_connection(("127.0.0.1", peer.https), 20) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as client:
            agreed = client.cipher()
            try:
                # What the server sends after its last word of the handshake comes with its farewell, if
                # it says one: some just close.
                client.unwrap()
            except (ssl.SSLError, ConnectionError):
                pass
            found, next_session = client.session_reused, client.session
    if agreed[:2] != (cipher, "TLSv1.3"):
        raise Failure(f"{peer.title}: agreed on {agreed}, not on {cipher}")
    if found != bool(session):
        raise Failure(f"{peer.title}: a session was {'' if found else 'not '}resumed")
    # It comes when the server has checked the client's last word.
    if not next_session or not next_session.has_ticket:
        raise Failure(f"{peer.title}: after a handshake no session can be resumed")
    return next_session
