"""Thousands of watchers in one process of their own, as lean as Python allows: what comes in and when, nothing else.

A watcher is a WebSocket on a real connection (RFC 6455). Of a frame it keeps the moment and the total; frames are the same
bytes for everybody, so each is read once. It answers pings, and it only ever talks to this machine.
"""

import asyncio
import base64
import json
import os
import time
from array import array
from multiprocessing.connection import Connection
from typing import NamedTuple, cast

import uvloop

from bench.voters import HOST

AT_ONCE = 200  # handshakes under way together
TEXT, PING, CLOSE = 0x81, 0x89, 0x88


class Crew(NamedTuple):
    """How many watch what, where."""

    port: int
    competition: int
    watchers: int


class Seen(NamedTuple):
    """What one watcher was shown: moments (seconds since 1970) and totals, in order."""

    at: "array[float]"
    totals: "array[int]"


class Report(NamedTuple):
    """What the crew saw since it was last asked, its share of a core since then, and how many are still there."""

    seen: list[Seen]
    core: float
    watching: int


def watch(crew: Crew, orders: Connection) -> None:
    """Connect everybody, say "ready", then answer each order with a report; the order "end" is the last. For a process."""
    uvloop.run(_watch(crew, orders))


async def _watch(crew: Crew, orders: Connection) -> None:
    loop = asyncio.get_running_loop()
    watchers: list[_Watcher] = []
    while len(watchers) < crew.watchers:
        some = min(AT_ONCE, crew.watchers - len(watchers))
        made = await asyncio.gather(
            *(loop.create_connection(lambda: _Watcher(crew), HOST, crew.port) for _ in range(some))
        )
        await asyncio.gather(*(one.is_open.wait() for _, one in made))
        watchers += [one for _, one in made]
    orders.send("ready")
    told: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(orders.fileno(), lambda: told.put_nowait(orders.recv()))
    cpu, began = time.process_time(), time.monotonic()
    while await told.get() != "end":
        os.set_blocking(orders.fileno(), True)  # the loop has made it one that does not wait
        core = (time.process_time() - cpu) / (time.monotonic() - began)
        orders.send(Report([one.take() for one in watchers], core, sum(one.is_there for one in watchers)))
        cpu, began = time.process_time(), time.monotonic()


class _Watcher(asyncio.Protocol):
    """One connection."""

    _known: "dict[bytes, int]" = {}  # noqa: RUF012  # shared on purpose: payload → total

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._part = b""
        self._seen = Seen(array("d"), array("q"))
        self._is_upgraded = False
        self.is_open, self.is_there = asyncio.Event(), False

    def take(self) -> Seen:
        """What was seen since the last time."""
        taken, self._seen = self._seen, Seen(array("d"), array("q"))
        return taken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET /live/{self._crew.competition} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode("ascii")
        )

    def data_received(self, data: bytes) -> None:
        """Take whole frames; none of ours needs more than two bytes of length."""
        at = time.time()
        if self._part:
            data, self._part = self._part + data, b""
        if not self._is_upgraded:
            data = self._upgraded(data)
        while len(data) >= 4:
            size, head = (data[1], 2) if data[1] < 126 else (int.from_bytes(data[2:4], "big"), 4)
            if len(data) < head + size:
                break
            self._take_frame(at, data[0], data[head : head + size])
            data = data[head + size :]
        self._part = data

    def _upgraded(self, data: bytes) -> bytes:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            self._part = data
            return b""
        if not head.startswith(b"HTTP/1.1 101"):
            raise RuntimeError(f"the server let a watcher not in: {head[:100]!r}")
        self._is_upgraded = self.is_there = True
        self.is_open.set()
        return rest

    def _take_frame(self, at: float, kind: int, payload: bytes) -> None:
        if kind == TEXT:
            total = self._known.get(payload)
            if total is None:
                total = self._known[payload] = json.loads(payload)["total"]
            self._seen.at.append(at)
            self._seen.totals.append(total)
        elif kind == PING:
            self._transport.write(bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is counted as gone."""
        del exc
        self.is_there = False
        self.is_open.set()
