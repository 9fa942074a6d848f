"""HTTP/2 by hand, as far as a request needs it: nothing that a library would refuse to send is refused here."""

import contextlib
import ssl
import struct
from collections.abc import Sequence
from typing import NamedTuple

from tests.deploy.nginx.clients import ENDS

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113 §3.4
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4

Fields = Sequence[tuple[bytes, bytes]]


class Frame(NamedTuple):
    """A frame as it was read."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def request(stream: int, fields: Fields, body: bytes = b"") -> bytes:
    """HEADERS, and DATA where there is a body."""
    head = b"".join(b"\0" + _string(name) + _string(value) for name, value in fields)  # literals without an index
    if not body:
        return _frame(HEADERS, END_HEADERS | END_STREAM, stream, head)
    return _frame(HEADERS, END_HEADERS, stream, head) + _frame(DATA, END_STREAM, stream, body)


def statuses(one: ssl.SSLSocket, data: bytes) -> list[str]:
    """Send the preface and this; return the first bytes of each answer's head, or `reset`, until all is answered."""
    one.sendall(PREFACE + _frame(SETTINGS, 0, 0, b"") + data)
    found = []
    with contextlib.suppress(*ENDS, EOFError):
        while True:
            frame = _read(one)
            if frame.kind == HEADERS:
                found.append(frame.payload[:8].hex())
            elif frame.kind in (RST_STREAM, GOAWAY):
                return [*found, "reset"]
            if frame.kind in (HEADERS, DATA) and frame.flags & END_STREAM:
                return found
    return found


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _string(text: bytes) -> bytes:
    """RFC 7541 §5.2, without Huffman."""
    length = len(text)
    if length < 127:
        return bytes((length,)) + text
    rest, prefix = length - 127, bytes((127,))
    while rest >= 128:
        prefix += bytes((rest % 128 + 128,))
        rest //= 128
    return prefix + bytes((rest,)) + text


def _read(one: ssl.SSLSocket) -> Frame:
    head = _exactly(one, 9)
    kind, flags, stream = struct.unpack(">BBI", head[3:])
    return Frame(kind, flags, stream, _exactly(one, int.from_bytes(head[:3])))


def _exactly(one: ssl.SSLSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = one.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data
