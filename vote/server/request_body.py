"""Read a request's body in the event loop, where waiting is cheap, before the request takes a thread.

If four threads read from four slow clients, the site is down. Bodies are small (the caller sets the limit), so they are kept
in memory.
"""

from collections.abc import Mapping

from vote.server.raw_response import Message, Receive, Scope


async def buffer(scope: Scope, receive: Receive, limit: int) -> Receive:
    """Return a `receive` that holds the whole body, or a little more than `limit` bytes of it, which the app then refuses.

    Reads nothing of a body whose Content-Length exceeds the limit. Raises ConnectionError when the client disconnects.
    """
    headers: Mapping[bytes, bytes] = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    if b"transfer-encoding" not in headers and not length.strip(b"0"):
        return receive  # no body
    if length.isdigit() and int(length) > limit:
        return _replaying(b"")
    body = bytearray()
    while len(body) <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return _replaying(bytes(body))


def _replaying(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
