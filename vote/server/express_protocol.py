"""The server's side of the short way: a small form whose body is here may be answered without a task of its own.

Everything else stays uvicorn's: parsing, pipelining, keep-alive, shutdown, and the task that runs the app whenever the short
way does not take the request or cannot end it.
"""

from collections.abc import Callable
from typing import ClassVar, Protocol, cast

import structlog
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from vote.input_limits import VOTE_MAX_BYTES
from vote.server.http_protocol import FrontDoorProtocol
from vote.server.middleware import Write
from vote.server.raw_response import Headers, Scope

logger = structlog.get_logger()


class HasShortWay(Protocol):
    """An app like `Envelope`."""

    def express(self, scope: Scope, body: bytes, write: Write, go_on: Callable[[], None]) -> bool:
        """See `Envelope.express`."""


class ExpressProtocol(FrontDoorProtocol):
    """One connection. `_held` is a request whose body is still to come, before anything was begun for it."""

    _held: tuple[RequestResponseCycle, ASGI3Application] | None = None
    _written: ClassVar[tuple[Headers, bytes]] = [], b""

    def on_message_complete(self) -> None:
        """The body of what is held is here."""
        super().on_message_complete()
        held, self._held = self._held, None
        if held is not None:
            self._begin(*held)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if not hasattr(app, "express") or not _may_be_held(cycle):
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._held = cycle, app
        else:
            self._begin(cycle, app)

    @classmethod
    def _common(cls, headers: Headers) -> bytes:
        """The server's own headers, the date: uvicorn makes a list of them once a second."""
        if headers is not cls._written[0]:
            cls._written = headers, b"".join([b"%b: %b\r\n" % header for header in headers])
        return cls._written[1]

    def _begin(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        def write(head: bytes, body: bytes) -> None:
            cycle.response_started = cycle.response_complete = True
            if cycle.disconnected:
                return
            ending = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
            self.transport.write(b"%b%b%b%b" % (head, self._common(cycle.default_headers), ending, body))
            if not cycle.keep_alive:
                self.transport.close()
            self.on_response_complete()

        def go_on() -> None:
            super(ExpressProtocol, self)._start_asgi_task(cycle, app)

        try:
            is_begun = cast(HasShortWay, app).express(cast(Scope, cycle.scope), bytes(cycle.body), write, go_on)
        except Exception:  # the parser would call it a bad request; the app says what it is
            logger.exception("the short way failed")
            is_begun = False
        if not is_begun:
            go_on()


def _may_be_held(cycle: RequestResponseCycle) -> bool:
    """Whether this is a form no larger than a vote, that comes by itself: what a client may not send is not waited for."""
    if cycle.scope["method"] != "POST" or cycle.waiting_for_100_continue:
        return False
    for name, value in cycle.scope["headers"]:
        if name == b"content-length":
            return value.isdigit() and int(value) <= VOTE_MAX_BYTES
    return False
