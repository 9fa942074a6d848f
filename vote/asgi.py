"""The front door: votes, live results, static files and probes are its own; all other paths go to Flask.

One process of it serves everything; nginx may route `/vote` and `/live` to processes of their own, same image. Making
`app` reads the settings and connects to nothing; the server's lifespan opens and closes the parts.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, cast

from a2wsgi import WSGIMiddleware

from vote import config, logs
from vote.app import create_app
from vote.ballotlog.ballot_box import BallotBox
from vote.casting.acknowledged_marks import AcknowledgedMarks
from vote.casting.endpoint import VoteEndpoint
from vote.config import Settings
from vote.domain.ids import is_id
from vote.errors import HasherBusy, NoSuchCompetition, NotAllowed, Unavailable, VoteError
from vote.identity import csrf
from vote.identity.authenticator import Authenticator
from vote.identity.sessions import SessionCookie
from vote.input_limits import BODY_MAX_BYTES, LOGIN_WAIT_S, PAGE_WAIT_S
from vote.live.endpoint import LiveEndpoint
from vote.server import client_address, probes, problems, request_body
from vote.server.buffered_response import BufferedResponse
from vote.server.concurrency_limit import ConcurrencyLimit
from vote.server.cors import Cors
from vote.server.middleware import REQUEST_ID, RequestMiddleware
from vote.server.raw_response import App, Receive, Scope, Send, send_response
from vote.services.container import Services
from vote.web.errors import METHOD_NOT_ALLOWED, render_error_page
from vote.web.static_files import StaticFiles

VOTE_PATH = re.compile(r"/vote/([0-9]{1,20})", re.ASCII)
PROBES = frozenset(("/health", "/ready", "/metrics"))
READING = ("GET", "HEAD")
READY_TIMEOUT_S = 4.0  # a probe that hangs is a probe that fails
HASHING = frozenset(  # what costs a hash: a stranger's requests, and those that ask for one's own password
    [("DELETE", "/api/me")]
    + [("POST", path) for path in ("/login", "/register", "/reset")]
    + [("POST", f"/account/{form}") for form in ("password", "email", "delete")]
)
NOT_STORED = "Your vote is not stored."
IN_DOUBT = "Your vote may or may not be stored. Press again: it cannot count twice."


class FrontDoor:
    """The ASGI application of one process."""

    def __init__(self, settings: Settings) -> None:
        self._services = Services.from_settings(settings)
        self._flask = create_app(self._services)
        # a2wsgi spells the types of WSGI and ASGI out in its own way.
        self._pages: App = cast(Any, WSGIMiddleware)(self._flask, workers=settings.vote_page_threads)
        self._turns = ConcurrencyLimit(settings.vote_page_threads, wait_s=PAGE_WAIT_S)
        # As many as may wait for the hasher: whoever comes next waits here, where it costs neither a thread nor a page.
        self._login_turns = ConcurrencyLimit(self._services.hasher.places, wait_s=LOGIN_WAIT_S, refusal=HasherBusy)
        self._static = StaticFiles()
        cookie, identifier = SessionCookie(settings), Authenticator(settings, self._services.revocations)
        self._box = BallotBox(
            settings.log_url,
            settings.vote_shards,
            self._services.installation,
            wait_replicas=settings.ballot_log_min_replicas,
        )
        self._acknowledged = AcknowledgedMarks(self._box, self._services.db)
        self._casting = VoteEndpoint(self._services, self._box, identifier, cookie, self._error_page)
        self._live = LiveEndpoint(self._services, identifier, cookie)
        self._following: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await self._live(scope, receive, send)
        elif match := VOTE_PATH.fullmatch(scope["path"]):
            if scope["method"] == "POST" and is_id(competition := int(match[1])):
                await self._casting(scope, receive, send, competition)
            else:
                await self._beside_votes(scope, receive, send)
        elif scope["path"] in PROBES:
            await self._probe(scope, send)
        elif self._static.serves(scope["path"]):
            await self._file(scope, send)
        else:
            await self._page(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Flask's answer. A thread of its pool is taken when the body is here, not for as long as a client sends."""
        try:
            receive = await request_body.buffer(scope, receive, BODY_MAX_BYTES)
        except ConnectionError:
            return  # the client went away before it had sent its request: nobody is there to be told
        made = BufferedResponse()
        try:
            hashing = self._login_turns.slot(_network_of(scope)) if _costs_a_hash(scope) else nullcontext()
            async with hashing, self._turns.slot():
                await self._pages(scope, receive, made.take)
        except Unavailable as error:
            await self._refuse_page(error, scope, send)
            return
        await made.send(send)  # the place is free again: who does not read keeps nobody waiting

    async def _refuse_page(self, error: Unavailable, scope: Scope, send: Send) -> None:
        told = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in problems.headers_of(error)]
        if csrf.is_browser(csrf.header_of(scope)) and not scope["path"].startswith("/api/"):
            body = await self._error_page(error, scope, voted=False)
            await send_response(send, 503, body, content_type="text/html; charset=utf-8", headers=told)
            return
        body = json.dumps(problems.problem_of(error, request_id=scope[REQUEST_ID])).encode("utf-8")
        await send_response(send, 503, body, content_type=problems.CONTENT_TYPE, headers=told)

    async def _file(self, scope: Scope, send: Send) -> None:
        if scope["method"] in READING:
            await self._static(scope, send)
        else:
            await _refuse_method(scope, send, READING)

    async def _beside_votes(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is no vote at an address of one: the ballot page, a number that no competition has, another method."""
        if scope["method"] in READING:
            await self._page(scope, receive, send)
        elif scope["method"] == "POST":
            body = json.dumps(problems.problem_of(NoSuchCompetition(), request_id=scope[REQUEST_ID]))
            await send_response(send, 404, body.encode("utf-8"), content_type=problems.CONTENT_TYPE)
        else:
            await _refuse_method(scope, send, (*READING, "POST"))

    async def _probe(self, scope: Scope, send: Send) -> None:
        path = scope["path"]
        if scope["method"] not in READING:
            await _refuse_method(scope, send, READING)
        elif path == "/health":  # touches no dependency: a restart would not mend one
            await send_response(send, 200, b'{"status":"ok"}', content_type="application/json")
        elif path == "/metrics" and not self._is_operator(scope):
            detail = "Figures are given only to the networks in METRICS_NETWORKS."
            told = problems.problem_of(NotAllowed(detail), request_id=scope[REQUEST_ID])
            await send_response(send, 403, json.dumps(told).encode("ascii"), content_type=problems.CONTENT_TYPE)
        elif path == "/metrics":
            body = await asyncio.to_thread(probes.metrics_text, self._services)
            await send_response(send, 200, body, content_type=probes.METRICS_TYPE)
        else:
            reasons, warnings = await self._readiness()
            said: dict[str, Any] = {"status": "not ready" if reasons else "ready"}
            if self._is_operator(scope):
                said |= {"reasons": reasons, "warnings": warnings}
            body = json.dumps(said).encode("utf-8")
            await send_response(send, 503 if reasons else 200, body, content_type="application/json")

    def _is_operator(self, scope: Scope) -> bool:
        """Whether this is for who runs it: reasons and figures tell strangers too much."""
        client = scope.get("client")
        address = client_address.parse(client[0]) if client else None
        names = [name.decode("latin-1") for name, _ in scope["headers"]]
        return client_address.is_in_networks(address, self._services.settings.metrics_networks, names)

    async def _readiness(self) -> probes.Readiness:
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                return await asyncio.to_thread(probes.readiness, self._services)
        except TimeoutError:
            return probes.Readiness([f"log and database did not answer within {READY_TIMEOUT_S:g} s"], [])

    async def _error_page(self, error: VoteError, scope: Scope, *, voted: bool = True) -> bytes:
        status = problems.status_of(error)
        cookie = next((value for name, value in scope["headers"] if name == b"cookie"), b"")
        return await asyncio.to_thread(
            render_error_page,
            self._flask,
            status=status,
            detail=error.detail,
            request_id=scope[REQUEST_ID],
            back=scope["path"],
            safe=None if not voted else IN_DOUBT if status == 503 else NOT_STORED,
            cookie=cookie.decode("latin-1"),
        )

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _start(self) -> None:
        await asyncio.to_thread(self._services.start)
        await self._casting.receipt_keys.refresh()
        await self._box.connect()
        follow = self._casting.receipt_keys.follow, self._acknowledged.follow
        self._following = [asyncio.create_task(one()) for one in follow]
        await self._live.start()

    async def _stop(self) -> None:
        for one in self._following:
            one.cancel()
        await self._live.stop()
        await self._box.close()
        await self._acknowledged.finish()
        await asyncio.to_thread(self._services.close)


def _costs_a_hash(scope: Scope) -> bool:
    return (scope["method"], scope["path"]) in HASHING


def _network_of(scope: Scope) -> str:
    client = scope.get("client")
    return client_address.network_of(client_address.parse(client[0]) if client else None)


async def _refuse_method(scope: Scope, send: Send, allowed: Sequence[str]) -> None:
    """405, or what OPTIONS asks for: which methods there are (RFC 9110 §9.3.7)."""
    allow = [(b"allow", ", ".join((*allowed, "OPTIONS")).encode("ascii"))]
    if scope["method"] == "OPTIONS":
        await send_response(send, 200, b"", content_type="text/plain; charset=utf-8", headers=allow)
        return
    told = problems.problem(405, METHOD_NOT_ALLOWED, request_id=scope[REQUEST_ID])
    await send_response(send, 405, json.dumps(told).encode("utf-8"), content_type=problems.CONTENT_TYPE, headers=allow)


def create_asgi_app(settings: Settings) -> App:
    """The front door in its envelope."""
    logs.configure("web")
    front_door = FrontDoor(settings)
    door: App = Cors(front_door, settings.cors_origins) if settings.cors_origins else front_door
    return RequestMiddleware(door, settings)


def __getattr__(name: str) -> App:
    """`vote.asgi:app`, made from the environment when a server asks for it: importing this module does no work."""
    if name == "app":
        globals()["app"] = made = create_asgi_app(config.load())
        return made
    raise AttributeError(name)
