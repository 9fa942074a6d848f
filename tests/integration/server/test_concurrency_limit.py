"""Places that make pages are for making them: whoever does not read an answer holds none."""

import asyncio
from typing import Any

from tests.integration import asgi
from vote.asgi import create_asgi_app
from vote.config import Settings

DEADLINE_S = 30


def test_who_does_not_read_holds_no_place(settings: Settings, redis_url: str) -> None:
    async def run() -> int:
        app, statuses = create_asgi_app(settings.model_copy(update={"vote_page_threads": 1})), list[int]()
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        lifespan = asyncio.create_task(app({"type": "lifespan"}, inbox.get, asyncio.Queue[Any]().put))
        await inbox.put({"type": "lifespan.startup"})
        stuck, is_sending = asyncio.Event(), asyncio.Event()

        async def unread(_message: Any) -> None:
            is_sending.set()
            await stuck.wait()

        async def read(message: Any) -> None:
            statuses.append(message.get("status", 0))

        reading_nothing = asyncio.create_task(_load(app, unread))
        async with asyncio.timeout(DEADLINE_S):
            await is_sending.wait()
            await _load(app, read)
        stuck.set()
        await reading_nothing
        await inbox.put({"type": "lifespan.shutdown"})
        await lifespan
        return statuses[0]

    assert asyncio.run(run()) == 200


async def _load(app: Any, send: Any) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await app(asgi.scope_of(asgi.Request("GET", "/how-it-counts")), receive, send)
