"""Waits for a request's body in the event loop, where waiting costs nothing, before a thread is given to the request.

A pool of four threads that read from four slow clients is a site that is down. Bodies are small (the limit is the
caller's), so they are kept in memory.
"""

from collections.abc import Mapping

from vote.server.raw_response import Message, Receive, Scope


async def buffer(scope: Scope, receive: Receive, limit: int) -> Receive:
    """A `receive` that has the body already, or a little more than `limit` bytes of it: the app refuses that.

    Of a body whose length is said to be beyond the limit nothing is read. Raises ConnectionError when the client goes away.
    """
    headers: Mapping[bytes, bytes] = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    if b"transfer-encoding" not in headers and not length.strip(b"0"):
        return receive  # no body
    if length.isdigit() and int(length) > limit:
        return _having(b"")
    body = bytearray()
    while len(body) <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return _having(bytes(body))


def _having(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
