"""A bare app under granian's RSGI: only for measuring one server beside another.

RSGI hands over a request as objects made in Rust and takes an answer in one call.
"""

from typing import Any

TEXT = [("content-type", "text/plain")]


class Bare:
    """Reads the body and says ok."""

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        del scope
        await protocol()
        protocol.response_bytes(200, TEXT, b"ok")


app = Bare()
