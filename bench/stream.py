"""Votes at a given rate, each sent at its own time whether or not those before it were answered."""

import asyncio
import time
from typing import NamedTuple, cast

import uvloop

from bench.voters import HOST, Crowd, requests

LAST_ANSWERS_S = 10.0
CONNECTIONS = 64


class Stream(NamedTuple):
    """Voters who vote one after the other, so many a second."""

    port: int
    competition: int
    crowd: Crowd
    per_second: float


class Told(NamedTuple):
    """A vote that was acknowledged (seconds since 1970)."""

    voter: int
    sent: float
    accepted: float


def send(stream: Stream) -> list[Told]:
    """Send them all. Raises RuntimeError unless every one was acknowledged. For a process of its own."""
    return uvloop.run(_send(stream, requests(stream.crowd, "bearer", stream.competition)))


async def _send(stream: Stream, made: list[bytes]) -> list[Told]:
    loop = asyncio.get_running_loop()
    free: asyncio.Queue[_Line] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait((await loop.create_connection(lambda: _Line(free), HOST, stream.port))[1])
    began, told = time.time(), list[Told]()
    for number, request in enumerate(made):
        due = began + number / stream.per_second
        await asyncio.sleep(max(0.0, due - time.time()))
        line = await free.get()
        line.send(request, stream.crowd.first + number, due, told)
    async with asyncio.timeout(LAST_ANSWERS_S):
        for _ in range(CONNECTIONS):
            (await free.get()).close()
    if len(told) != len(made):
        raise RuntimeError(f"{len(made) - len(told)} votes were not accepted")
    return told


class _Line(asyncio.Protocol):
    """A connection with one vote on its way at most."""

    def __init__(self, free: "asyncio.Queue[_Line]") -> None:
        self._free = free
        self._part = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, voter: int, due: float, told: list[Told]) -> None:
        """Send a vote that was due then."""
        self._voter, self._due, self._told = voter, due, told
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """The answers of votes are small: head and body, in one piece or two."""
        self._part += data
        if not self._part.endswith(b"}") or b"\r\n\r\n" not in self._part:
            return
        if self._part[9:12] in (b"200", b"202"):
            self._told.append(Told(self._voter, self._due, time.time()))
        self._part = b""
        self._free.put_nowait(self)

    def close(self) -> None:
        """End it."""
        self._transport.close()
