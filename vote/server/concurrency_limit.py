"""A bounded number of places, and a deadline for who waits for one: what is full says so, and nobody hangs."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vote.errors import Unavailable


class ConcurrencyLimit:
    """`places` at a time (a fair semaphore: round-robin over whose turn it is, first come first served within each).

    However many wait in one's name, somebody else's first one waits for no more than one of them. Belongs to one event loop.
    """

    def __init__(self, places: int, *, wait_s: float, refusal: type[Unavailable] | None = None) -> None:
        self._free = places
        self._wait_s = wait_s
        self._refusal = refusal
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # whose turn comes next stands first

    @asynccontextmanager
    async def slot(self, whose: str = "") -> AsyncIterator[None]:
        """Hold a place. Raises Unavailable, or what `refusal` names, when none was free for `wait_s` seconds."""
        await self._acquire(whose)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, whose: str) -> None:
        if self._free:  # then nobody waits
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
            raise self._full() from None

    def _give_up(self, whose: str, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self._release()  # it was given in the same moment
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
                self._waiting[whose] = queue  # at the end: the others come first
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _full(self) -> Unavailable:
        if self._refusal is not None:
            return self._refusal()
        return Unavailable("More people ask for a page at this moment than can be served. Try again in a few seconds.")
