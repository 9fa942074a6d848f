"""Holds the connection over which a process casts ballots, and sets the estimate of the log's clock.

Connecting runs in a separate task. Callers wait a moment for it; while a frozen or absent log keeps the task waiting,
every caller fails at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Connection

from vote import redis_client
from vote.ballotlog.clock import LogClock

WAIT_S = 0.4  # how long a caller waits for a new connection
MADE_WITHIN_S = 5.0  # for all steps of connecting: behind a frozen Sentinel there may be others to try
CLOCK_WITHIN_S = 0.2  # a slower answer is too inaccurate: ask once more
RETRY_S = 0.1  # least time between two attempts while the log is down; calls in between fail at once


class BoxConnection:
    """A connection opened on first use, and again after `drop`. Belongs to one event loop."""

    def __init__(self, url: str, clock: LogClock, *, check: Callable[[Connection], Awaitable[None]]) -> None:
        """Create it closed. `check` runs on each new connection before first use; if it raises, the connection closes."""
        self._pool = redis_client.connect_async(url).connection_pool
        self._clock = clock
        self._check = check
        self._open: Connection | None = None
        self._making: asyncio.Task[Connection] | None = None
        self._wait_until = 0.0
        self._next_try = 0.0

    @property
    def is_open(self) -> bool:
        """Return whether there is a connection now."""
        return self._open is not None

    async def get(self) -> Connection:
        """Return the connection, or a new one when it is made within WAIT_S. Raises what prevents it."""
        if self._open is not None:
            return self._open
        now = time.monotonic()
        if self._making is None or _has_failed(self._making):
            if now < self._next_try:
                raise ConnectionError
            self._next_try = now + RETRY_S  # set by an attempt only, not by calls that fail without one
            self._wait_until = now + WAIT_S
            self._making = asyncio.create_task(self._make())
        await asyncio.wait([self._making], timeout=max(0.0, self._wait_until - now))
        if not self._making.done():
            raise TimeoutError
        self._open = self._making.result()
        self._making = None
        self._next_try = 0.0  # it worked: when this connection breaks, try again at once
        return self._open

    async def drop(self, *, nowait: bool = True) -> None:
        """Disconnect. Without `nowait`, wait for a clean close, which a frozen log would delay."""
        gone, self._open = self._open, None
        if gone is not None:
            await gone.disconnect(nowait=nowait)

    async def close(self) -> None:
        """Cancel a connection being made, and disconnect."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait([self._making])
            if not _has_failed(self._making):  # it was made after the last caller gave up
                self._open = self._making.result()
        await self.drop(nowait=False)

    async def _make(self) -> Connection:
        made: Connection = self._pool.make_connection()
        try:
            async with asyncio.timeout(MADE_WITHIN_S):
                await made.connect()
                if await self._ask_time(made) > CLOCK_WITHIN_S:
                    await self._ask_time(made)
                await self._check(made)
        except BaseException:
            await made.disconnect(nowait=True)
            raise
        return made

    async def _ask_time(self, made: Connection) -> float:
        """Read the log's clock. Returns how long the answer took, in seconds."""
        began = time.monotonic()
        await made.send_command("TIME")
        seconds, micros = await made.read_response()
        ended = time.monotonic()
        self._clock.learn(began, ended, int(seconds) * 1000 + int(micros) // 1000)
        return ended - began


def _has_failed(task: "asyncio.Task[Connection]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
