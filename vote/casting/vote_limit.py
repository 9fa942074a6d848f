"""The limit on votes per account, asked on the path of every ballot: all that wait share one call, as in the ballot box.

A limit that cannot be asked stops nobody from voting within the process's share (`edge/limiter.py`).
"""

import asyncio
import contextlib
import time

from vote.ballotlog import connection
from vote.edge.limiter import ASK_AGAIN_S, TIMEOUT_S, Alone, key_of, refuse, script
from vote.edge.limits import Limit

BATCH_MAX = 1_000  # accounts in one call: about a millisecond of the server's time


class VoteLimit:
    """The limit in one process. Belongs to one event loop."""

    def __init__(self, url: str, limit: Limit, *, processes: int) -> None:
        self._limit = limit
        self._script = connection.connect_async(url).register_script(script())
        self._alone = Alone(processes)
        self._waiting: list[tuple[str, asyncio.Future[float]]] = []
        self._running: asyncio.Task[None] | None = None
        self._ask_at = 0.0

    async def take(self, account: int) -> None:
        """Count one ballot. Raises TooManyRequests, and counts nothing, when the account has no room."""
        key = key_of(self._limit, f"user:{account}")
        if time.monotonic() < self._ask_at:
            wait_us = self._alone.put(self._limit, [key], 1)[0]
        else:
            answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
            self._waiting.append((key, answer))
            if self._running is None or self._running.done():
                self._running = asyncio.create_task(self._run())
            wait_us = await answer
        if wait_us > 0:
            raise refuse(self._limit, wait_us)

    async def close(self) -> None:
        """Disconnect."""
        with contextlib.suppress(*connection.LogError):
            await self._script.registered_client.aclose()

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
            waits = await self._ask([key for key, _ in batch])
            for (_, answer), wait_us in zip(batch, waits, strict=True):
                if not answer.done():  # done: the client has gone away
                    answer.set_result(wait_us)

    async def _ask(self, keys: list[str]) -> list[float]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                waits: list[float] = await self._script(keys=keys, args=[self._limit.interval_us, self._limit.burst, 1])
                return waits
        except (*connection.LogError, TimeoutError):
            self._ask_at = time.monotonic() + ASK_AGAIN_S
            return self._alone.put(self._limit, keys, 1)
