"""Routes requests (the front door): serves votes, live results, static files and probes; passes other paths to Flask.

One process serves everything; nginx may route `/vote` and `/live` to separate processes of the same image. Creating
`app` reads the settings and connects to nothing; the server's lifespan opens and closes the services.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, cast

import structlog
from a2wsgi import WSGIMiddleware

from vote import config, logs
from vote.app import create_app
from vote.ballotlog.ballot_box import BallotBox
from vote.casting.acknowledged_marks import AcknowledgedMarks
from vote.casting.endpoint import VoteEndpoint
from vote.config import Settings
from vote.db.statement_log import STATEMENTS
from vote.domain.ids import is_id
from vote.errors import METRICS_REFUSED, HasherBusy, NoSuchCompetition, NotAllowed, Unavailable, VoteError
from vote.health_server import METRICS
from vote.identity import csrf
from vote.identity.authenticator import Authenticator
from vote.identity.sessions import SessionCookie
from vote.input_limits import BODY_MAX_BYTES, LOGIN_WAIT_S, PAGE_WAIT_S
from vote.live.endpoint import LiveEndpoint
from vote.networks import is_in_networks
from vote.server import probes, problems, request_body
from vote.server.client_address import client_of, network_of
from vote.server.concurrency_limit import ConcurrencyLimit
from vote.server.cors import Cors
from vote.server.metrics_page import metrics_page
from vote.server.middleware import RequestMiddleware
from vote.server.raw_response import App, Message, Receive, Scope, Send, send_response
from vote.server.request_id import REQUEST_ID
from vote.services.container import Services
from vote.web.assets import Asset, assets
from vote.web.errors import METHOD_NOT_ALLOWED, render_error_page
from vote.web.static_files import send_file

VOTE_PATH = re.compile(r"/vote/([0-9]{1,20})", re.ASCII)
PROBES = frozenset(("/health", "/ready", "/metrics"))
READING = ("GET", "HEAD")
METRICS_AT_ONCE = 2  # in threads of their own: while a store is frozen, others are full of those who wait for it
READY_TIMEOUT_S = 4.0  # a probe that hangs counts as failed
HASHING = frozenset(  # requests that hash a password
    [("DELETE", "/api/me")]
    + [("POST", path) for path in ("/login", "/register", "/reset")]
    + [("POST", f"/account/{form}") for form in ("password", "email", "delete")]
)
NOT_STORED = "Your vote is not stored."
IN_DOUBT = "Your vote may or may not be stored. Press again: it cannot count twice."

logger = structlog.get_logger()


class FrontDoor:
    """One process's ASGI application."""

    def __init__(self, settings: Settings) -> None:
        self._services = Services.from_settings(settings)
        self._flask = create_app(self._services)
        # a2wsgi has type definitions of its own for WSGI and ASGI.
        self._pages: App = cast(Any, WSGIMiddleware)(self._flask, workers=settings.vote_page_threads)
        self._turns = ConcurrencyLimit(settings.vote_page_threads, wait_s=PAGE_WAIT_S)
        # As many slots as places in the hasher's queue: further requests wait here, without a thread or a page.
        self._login_turns = ConcurrencyLimit(self._services.hasher.places, wait_s=LOGIN_WAIT_S, refusal=HasherBusy)
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
        self._metrics = metrics_page(self._services)
        self._metrics_threads = ThreadPoolExecutor(METRICS_AT_ONCE, thread_name_prefix="metrics")
        self._following: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route a connection to its handler."""
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
        elif (found := assets().find(scope["path"])) is not None:
            await _send_static(scope, send, *found)
        else:
            await self._page(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send Flask's answer. Takes a thread of its pool only once the whole body has arrived."""
        try:
            receive = await request_body.buffer(scope, receive, BODY_MAX_BYTES)
        except ConnectionError:
            return  # the client disconnected before it had sent its request
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        try:
            costs_a_hash, network = (scope["method"], scope["path"]) in HASHING, network_of(client_of(scope))
            async with self._login_turns.slot(network) if costs_a_hash else nullcontext(), self._turns.slot():
                await self._pages(scope, receive, keep)
        except Unavailable as error:
            await self._refuse_page(error, scope, send)
            return
        if answer:  # the slot is free by now, so a client that does not read delays nobody else
            await send(answer[0])
            await send({"type": "http.response.body", "body": b"".join([part["body"] for part in answer[1:]])})

    async def _refuse_page(self, error: Unavailable, scope: Scope, send: Send) -> None:
        if scope["path"].startswith("/api/") or not csrf.is_browser(csrf.header_of(scope)):
            await problems.send_error(send, error, request_id=scope[REQUEST_ID])
            return
        body, headers = await self._error_page(error, scope, voted=False), problems.raw_headers_of(error)
        await send_response(send, 503, body, content_type="text/html; charset=utf-8", headers=headers)

    async def _beside_votes(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer other requests at `/vote/<id>`: the ballot page, an impossible id, another method."""
        if scope["method"] in READING:
            await self._page(scope, receive, send)
        elif scope["method"] == "POST":
            await problems.send_error(send, NoSuchCompetition(), request_id=scope[REQUEST_ID])
        else:
            await _refuse_method(scope, send, (*READING, "POST"))

    async def _probe(self, scope: Scope, send: Send) -> None:
        path = scope["path"]
        if scope["method"] not in READING:
            await _refuse_method(scope, send, READING)
        elif path == "/health":  # touches no dependency: a restart would not repair one
            await send_response(send, 200, b'{"status":"ok"}', content_type="application/json")
        elif path == "/metrics" and not self._is_operator(scope):
            refusal = NotAllowed(METRICS_REFUSED)
            logger.warning("access refused", why=NotAllowed.__name__, reason=refusal.detail, endpoint="metrics")
            await problems.send_error(send, refusal, request_id=scope[REQUEST_ID])
        elif path == "/metrics":
            body = await asyncio.get_running_loop().run_in_executor(self._metrics_threads, self._metrics.text)
            await send_response(send, 200, body, content_type=METRICS)
        else:
            reasons, warnings = await self._readiness()
            said: dict[str, Any] = {"status": "not ready" if reasons else "ready"}
            if self._is_operator(scope):
                said |= {"reasons": reasons, "warnings": warnings}
            body = json.dumps(said).encode("utf-8")
            await send_response(send, 503 if reasons else 200, body, content_type="application/json")

    def _is_operator(self, scope: Scope) -> bool:
        """Return whether the client may see reasons and metrics, which would tell strangers too much."""
        names = [name.decode("latin-1") for name, _ in scope["headers"]]
        networks = self._services.settings.metrics_networks
        return is_in_networks(client_of(scope), networks, names)

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
                logger.info("started", settings=self._services.settings.names_given)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._stop()
                logger.info("stopped")
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


async def _send_static(scope: Scope, send: Send, asset: Asset, is_exact: bool) -> None:
    if scope["method"] in READING:
        await send_file(scope, send, asset, is_exact=is_exact)
    else:
        await _refuse_method(scope, send, READING)


async def _refuse_method(scope: Scope, send: Send, allowed: Sequence[str]) -> None:
    """Send 405, or the list of methods for OPTIONS (RFC 9110 §9.3.7)."""
    allow = [(b"allow", ", ".join((*allowed, "OPTIONS")).encode("ascii"))]
    if scope["method"] == "OPTIONS":
        await send_response(send, 200, b"", content_type="text/plain; charset=utf-8", headers=allow)
        return
    await problems.send_problem(send, 405, METHOD_NOT_ALLOWED, request_id=scope[REQUEST_ID], headers=allow)


def create_asgi_app(settings: Settings) -> App:
    """Return the front door inside its middleware."""
    logs.configure("web")
    STATEMENTS.configure(settings)
    front_door = FrontDoor(settings)
    door: App = Cors(front_door, settings.cors_origins) if settings.cors_origins else front_door
    return RequestMiddleware(door, settings)


def __getattr__(name: str) -> App:
    """Create `app` from the environment when a server asks for it, so that importing this module does no work."""
    if name == "app":
        globals()["app"] = made = create_asgi_app(config.load())
        return made
    raise AttributeError(name)
