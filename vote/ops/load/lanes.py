"""One connection to the service: HTTP/1.1, kept alive, one request at a time, as little work for each as it takes.

A lane knows bytes and statuses; which vote they are of is the business of `fire`.
"""

import asyncio
from typing import Any, Protocol, cast

import httptools


class Owner(Protocol):
    """Who is told what becomes of a lane."""

    def answered(self, lane: "Lane", status: int) -> None:
        """The answer is whole, and the lane is free."""

    def lost(self, lane: "Lane", *, unheard: bool) -> None:
        """The connection is gone. `unheard`: it was idle for a while, and not one byte came back for the last request."""


class Lane(asyncio.Protocol):
    """A connection; `vote` and `sent` are its owner's notes of what is under way, `vote` None when nothing is."""

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
        """Keep what is written to."""
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def send(self, request: bytes) -> None:
        """Send a request; the lane must be open and free."""
        assert self._transport is not None
        self._has_begun = False
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Read on; what is no HTTP ends the connection."""
        self._has_begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_message_complete(self) -> None:
        """Called by the parser at the end of an answer. One that says `Connection: close` ends the lane."""
        status, stays = self._parser.get_status_code(), self._parser.should_keep_alive()
        if status < 200:  # RFC 9110 §15.2: an interim answer, the real one follows
            return
        self._answers += 1
        if not stays:
            self.is_open = False
            self.close()
        self._owner.answered(self, status)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner, whose request may be unanswered."""
        del exc
        self.is_open = False
        self._owner.lost(self, unheard=self._answers > 0 and not self._has_begun)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once, without the farewell of TLS."""
        if self._transport is not None:
            self._transport.abort()
