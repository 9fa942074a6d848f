"""The short way takes what is plain, once, and leaves the rest to the endpoint with what was done so far."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from tests.silent_log import silent_log
from vote.asgi import create_asgi_app
from vote.auth import create_jwt_token
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.identity import csrf, sessions
from vote.worker.worker import Worker

TIMEOUT_S = 20


class Way:
    """The front door of one process, asked as the server does."""

    def __init__(self, settings: Settings) -> None:
        self._app = create_asgi_app(settings)
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outbox: asyncio.Queue[Any] = asyncio.Queue()

    async def __aenter__(self) -> "Way":
        self._life = asyncio.create_task(self._app({"type": "lifespan"}, self._inbox.get, self._outbox.put))
        await self._inbox.put({"type": "lifespan.startup"})
        await self._outbox.get()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._inbox.put({"type": "lifespan.shutdown"})
        await self._life

    async def ask(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, list[str]]:
        """The status, and the ways it took."""
        scope, ways = _scope(path, headers), list[str]()
        told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        gone_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._app.express(scope, body, lambda head, _body: told.set_result(head), lambda: gone_on.set_result(None)):
            ways.append("short")
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.wait((told, gone_on), return_when=asyncio.FIRST_COMPLETED)
        if told.done():
            return int(told.result().split()[1]), ways
        return await self._whole(scope, body), [*ways, "long"]

    async def whole(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """The status by the endpoint alone."""
        return await self._whole(_scope(path, headers), body)

    async def _whole(self, scope: dict[str, Any], body: bytes) -> int:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return int(sent[0]["status"])


def _scope(path: str, headers: dict[str, str]) -> dict[str, Any]:
    named = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": path, "headers": named}


def bearer(settings: Settings, account: Account, *, confirmed: bool = True) -> dict[str, str]:
    token = create_jwt_token(account.id, secret=settings.jwt_secret, confirmed=confirmed)
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def test_plain_ballots_take_the_short_way_alone(
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    path, other, browser = f"/vote/{make_competition().id}", f"/vote/{make_competition().id}", make_user()
    session: sessions.Session = {}
    sessions.begin(session, browser.id, now=time.time() - 60)
    own = {
        "Cookie": sessions.SessionCookie(settings).write(session).partition(";")[0],
        "Sec-Fetch-Site": "same-origin",
        "X-CSRF-Token": csrf.csrf_token(csrf.keys_of(settings)[0], session["sid"]),
        "Content-Type": "application/json",
    }
    unconfirmed = bearer(settings, make_user(), confirmed=False)
    by_token, stranger = bearer(settings, make_user()), {"Content-Type": "application/json"}

    async def run() -> list[object]:
        async with Way(settings) as way:
            return [
                await way.ask(path, by_token, b'{"vote":"a"}'),
                await way.ask(path, own, b'{"vote":"a"}'),
                await way.ask(other, own, b'{"vote":"b"}'),  # the limit is asked from the second on
                await way.ask(path, own, b'{"vote":"a"}'),
                await way.ask(path, stranger, b'{"vote":"a"}'),
                await way.ask(path, by_token, b'{"vote":"z"}'),
                (await way.ask(path, unconfirmed, b'{"vote":"a"}'))[1],
            ]

    assert asyncio.run(run()) == [
        (202, ["short"]),
        (303, ["short"]),
        (303, ["short"]),
        (303, ["short", "long"]),
        (401, ["long"]),
        (422, ["short", "long"]),
        ["long"],
    ]


def test_both_ways_count_against_one_limit(
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    path, headers = f"/vote/{make_competition(allow_change=True).id}", bearer(settings, make_user())
    low = settings.model_copy(update={"limit_votes_burst": 4, "limit_votes_per_s": 1})

    async def run() -> tuple[list[tuple[int, list[str]]], list[int]]:
        short, long = [], []
        async with Way(low) as way:
            for number in range(100):
                body = b'{"vote":"%c"}' % b"ab"[number % 2]
                if number % 2:
                    long.append(await way.whole(path, headers, body))
                else:
                    short.append(await way.ask(path, headers, body))
        return short, long

    short, long = asyncio.run(run())

    assert (short[0], long[0]) == ((202, ["short"]), 202)
    assert (429, ["short", "long"]) in short
    assert 429 in long


def test_a_ballot_that_is_not_confirmed_is_not_sent_again(
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    path, headers = f"/vote/{make_competition().id}", bearer(settings, make_user())

    async def run(silent: Settings) -> tuple[int, list[str]]:
        async with Way(silent) as way:
            return await way.ask(path, headers, b'{"vote":"a"}')

    with silent_log() as log:
        told = asyncio.run(run(settings.model_copy(update={"log_url": log.url})))

        assert told == (503, ["short", "long"])
        assert sum(b"vote_cast" in data for data in log.commands) == 1
