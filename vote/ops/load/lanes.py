"""One connection to the service: HTTP/1.1 with keep-alive, one request at a time, with little work per request.

A lane knows bytes and statuses; `generator` knows which vote they belong to.
"""

import asyncio
from typing import Any, Protocol, cast

import httptools


class Owner(Protocol):
    """The callbacks of a lane (observer)."""

    def answered(self, lane: "Lane", status: int) -> None:
        """Called when the answer is complete and the lane is free."""

    def lost(self, lane: "Lane", *, unheard: bool) -> None:
        """Called when the connection is gone. `unheard`: it had been idle, and the last request got not one byte back."""


class Lane(asyncio.Protocol):
    """A connection. `vote` and `sent` are its owner's notes on the request under way; `vote` is None when there is none."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._answers = 0
        self._has_begun = False
        self.vote: int | None = None
        self.sent = 0.0
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def send(self, request: bytes) -> None:
        """Send a request; the lane must be open and free."""
        assert self._transport is not None
        self._has_begun = False
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Parse an answer; close the connection if it is not HTTP."""
        self._has_begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_message_complete(self) -> None:
        """Called by the parser at the end of an answer. `Connection: close` ends the lane."""
        status, stays = self._parser.get_status_code(), self._parser.should_keep_alive()
        if status < 200:  # RFC 9110 §15.2: an interim answer, the real one follows
            return
        self._answers += 1
        if not stays:
            self.is_open = False
            self.close()
        self._owner.answered(self, status)

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify the owner, whose request may be unanswered."""
        del exc
        self.is_open = False
        self._owner.lost(self, unheard=self._answers > 0 and not self._has_begun)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close the connection at once, without TLS close messages."""
        if self._transport is not None:
            self._transport.abort()
