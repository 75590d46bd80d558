"""HTTP/2, as little of it as calls need that wait."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, PING = 1, 4, 6
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def frame(kind, flags=0, stream=0, payload=b""):
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(fields):
    """Fields as they are, none of them longer than a byte can count in seven bits."""
    text = lambda value: bytes([len(value)]) + value.encode()
    return b"".join(b"\x10" + text(name) + text(value) for name, value in fields)


def split(data):
    """The whole frames at the beginning of `data` (kind, flags, payload), and what is left."""
    frames = []
    while len(data) >= 9:
        length = int.from_bytes(data[:3], "big")
        if len(data) < 9 + length:
            break
        frames.append((data[3], data[4], data[9:9 + length]))
        data = data[9 + length:]
    return frames, data


def answer(kind, flags, payload):
    """What must be said to a frame."""
    if kind in (SETTINGS, PING) and not flags & ACK:
        return frame(kind, ACK, payload=payload if kind == PING else b"")
    return b""
