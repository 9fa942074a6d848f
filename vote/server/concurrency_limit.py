"""Limit how many requests run at once, with a deadline for waiting: a full server answers 503 instead of hanging."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from vote.errors import Unavailable

FULL = "The service is busy. Try again in a few seconds."


class ConcurrencyLimit:
    """A fair semaphore with `places` slots: round-robin over callers' keys (`whose`), first come first served within a key.

    However many requests wait under one key, the first one of another key waits for at most one of them. Belongs to one
    event loop.
    """

    def __init__(
        self, places: int, *, wait_s: float, refusal: Callable[[], Unavailable] = lambda: Unavailable(FULL)
    ) -> None:
        self._free = places
        self._wait_s = wait_s
        self._refusal = refusal
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # the key whose turn is next comes first

    @asynccontextmanager
    async def slot(self, whose: str = "") -> AsyncIterator[None]:
        """Hold a slot. Raises what `refusal` makes when none was free within `wait_s` seconds."""
        await self._acquire(whose)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, whose: str) -> None:
        if self._free:  # then no request is waiting
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(whose, deque()).append(turn)
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
        except BaseException as error:
            self._give_up(whose, turn)
            if not isinstance(error, TimeoutError):
                raise
            raise self._refusal() from None

    def _give_up(self, whose: str, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self._release()  # the slot was granted at the same moment
            return
        queue = self._waiting.get(whose, deque())
        if turn in queue:
            queue.remove(turn)
        if not queue:
            self._waiting.pop(whose, None)

    def _release(self) -> None:
        while self._waiting:
            whose = next(iter(self._waiting))
            queue = self._waiting.pop(whose)
            turn = queue.popleft()
            if queue:
                self._waiting[whose] = queue  # to the end: other keys come first
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
