"""A bare Flask page that pages are compared with: the same server, threads and template engine, and nothing behind it."""

from typing import Any, cast

from a2wsgi import WSGIMiddleware
from flask import Flask

from vote.server.raw_response import App

THREADS = 4  # as VOTE_PAGE_THREADS


def _made() -> App:
    flask = Flask("bench.bare_page", static_folder=None)

    @flask.get("/")
    def page() -> str:
        return "ok"

    return cast(Any, WSGIMiddleware)(flask, workers=THREADS)


pages: App = _made()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Serve the page."""
    if scope["type"] != "lifespan":
        await pages(scope, receive, send)
        return
    kind = ""
    while kind != "lifespan.shutdown":
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
