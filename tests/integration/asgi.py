"""Asks the front door without a server around it."""

import asyncio
from typing import Any, NamedTuple
from urllib.parse import unquote

from vote.asgi import create_asgi_app
from vote.config import Settings


class Answered(NamedTuple):
    """An answer of the front door."""

    status: int
    headers: dict[str, str]
    body: bytes


class Request(NamedTuple):
    """A request to it. The method WS is a WebSocket's handshake."""

    method: str
    path: str
    headers: dict[str, str] = {}  # noqa: RUF012  # never changed
    body: bytes = b""
    chunked: bool = False
    client: str = "127.0.0.1"
    query: bytes = b""


def ask(settings: Settings, requests: list[Request]) -> list[Answered]:
    """Start the front door, ask one after the other, stop it."""
    return asyncio.run(_ask(settings, requests))


async def _ask(settings: Settings, requests: list[Request]) -> list[Answered]:
    app = create_asgi_app(settings)
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    outbox: asyncio.Queue[Any] = asyncio.Queue()
    lifespan = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    assert (await outbox.get())["type"] == "lifespan.startup.complete"
    try:
        return [await (_knock if request.method == "WS" else _one)(app, request) for request in requests]
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        await lifespan


async def _knock(app: Any, request: Request) -> Answered:
    """A WebSocket handshake; 101 when it was let in, and then gone again."""
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "wss",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), *((n.lower().encode(), v.encode()) for n, v in request.headers.items())],
        "client": (request.client, 50000),
        "server": ("127.0.0.1", 8080),
        "subprotocols": [],
        "state": {},
        "extensions": {"websocket.http.response": {}},
    }
    heard = iter(({"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}))
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return next(heard)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0].get("headers", ())}
    if sent[0]["type"] == "websocket.accept":
        return Answered(101, headers, b"")
    return Answered(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def scope_of(request: Request) -> dict[str, Any]:
    """A request as a server tells it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "https",
        "method": request.method,
        "path": unquote(request.path),
        "raw_path": request.path.encode(),
        "query_string": request.query,
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            (b"transfer-encoding", b"chunked") if request.chunked else (b"content-length", b"%d" % len(request.body)),
            *((name.lower().encode(), value.encode()) for name, value in request.headers.items()),
        ],
        "client": (request.client, 50000),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }


async def _one(app: Any, request: Request) -> Answered:
    scope = scope_of(request)
    sent: list[Any] = []

    half = len(request.body) // 2 if request.chunked else 0
    parts = [request.body[:half], request.body[half:]]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answered(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))
