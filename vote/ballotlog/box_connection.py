"""The one connection over which a process casts ballots, and what its answers say of the log's clock.

Making one is a task of its own: who needs it waits a moment, and while a log that is frozen or away keeps the task waiting,
everybody is told at once that there is none.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Connection

from vote import redis_client
from vote.ballotlog.clock import LogClock

WAIT_S = 0.4  # for a new connection; while it takes longer, there is none
MADE_WITHIN_S = 5.0  # all of it: behind a Sentinel that is frozen there are others
CLOCK_WITHIN_S = 0.2  # an answer that took longer says too little of the clock: asked once more
RETRY_S = 0.1  # a log that is down is asked at most this often; everybody between is told at once


class BoxConnection:
    """A connection that is made when it is needed, and again after `drop`. Belongs to one event loop."""

    def __init__(self, url: str, clock: LogClock, *, check: Callable[[Connection], Awaitable[None]]) -> None:
        """`check` looks at each new connection before it is used; what it raises ends the connection."""
        self._pool = redis_client.connect_async(url).connection_pool
        self._clock = clock
        self._check = check
        self._open: Connection | None = None
        self._making: asyncio.Task[Connection] | None = None
        self._wait_until = 0.0
        self._next_try = 0.0

    @property
    def is_open(self) -> bool:
        """Whether there is a connection now."""
        return self._open is not None

    async def get(self) -> Connection:
        """Return the connection, or a new one when it is made within WAIT_S. Raises what hinders it."""
        if self._open is not None:
            return self._open
        now = time.monotonic()
        if self._making is None or _has_failed(self._making):
            if now < self._next_try:
                raise ConnectionError
            self._next_try = now + RETRY_S  # by who tries, not by who is told without a try
            self._wait_until = now + WAIT_S
            self._making = asyncio.create_task(self._make())
        await asyncio.wait([self._making], timeout=max(0.0, self._wait_until - now))
        if not self._making.done():
            raise TimeoutError
        self._open = self._making.result()
        self._making = None
        self._next_try = 0.0  # it is there: when this connection breaks, the next is tried at once
        return self._open

    async def drop(self, *, nowait: bool = True) -> None:
        """Disconnect; without `nowait` politely, which a frozen log would keep waiting."""
        gone, self._open = self._open, None
        if gone is not None:
            await gone.disconnect(nowait=nowait)

    async def close(self) -> None:
        """Give up what is being made, and disconnect."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait([self._making])
            if not _has_failed(self._making):  # it was made while nobody waited for it any more
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
        """Learn what time it is there; returns how long the answer took, in seconds."""
        began = time.monotonic()
        await made.send_command("TIME")
        seconds, micros = await made.read_response()
        ended = time.monotonic()
        self._clock.learn(began, ended, int(seconds) * 1000 + int(micros) // 1000)
        return ended - began


def _has_failed(task: "asyncio.Task[Connection]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
