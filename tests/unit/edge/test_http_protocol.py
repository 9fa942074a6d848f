"""One connection under the server's protocol: how long it may be idle."""

import asyncio
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from vote.edge.http_protocol import FrontDoorProtocol

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENCE_S = 0.05
KEEP_ALIVE_S = 1
WITHIN_S = 20


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def test_an_idle_connection_takes_more_requests_and_is_closed_in_the_end() -> None:
    async def run() -> list[bytes]:
        config = Config(app, timeout_keep_alive=KEEP_ALIVE_S, log_config=None)
        config.load()
        state, kind = ServerState(), FrontDoorProtocol.with_patience(PATIENCE_S)
        server = await asyncio.get_running_loop().create_server(lambda: kind(config, state, {}), "127.0.0.1", 0)
        async with server, asyncio.timeout(WITHIN_S):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            answers = []
            for _ in range(3):
                writer.write(GET)
                answers.append(await reader.readuntil(b"\r\n\r\n"))
            answers.append(await reader.read())
            writer.close()
        return [answer[:12] for answer in answers] + [b"%d" % state.total_requests]

    assert asyncio.run(run()) == [b"HTTP/1.1 204"] * 3 + [b"", b"3"]
