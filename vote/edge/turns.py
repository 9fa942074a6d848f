"""A bounded number of places, and a deadline for who waits for one: what is full says so, and nobody hangs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vote.errors import Unavailable


class Turns:
    """`places` at a time, first come first served. Belongs to one event loop."""

    def __init__(self, places: int, *, wait_s: float, refusal: type[Unavailable] | None = None) -> None:
        self._free = asyncio.Semaphore(places)
        self._wait_s = wait_s
        self._refusal = refusal

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place. Raises Unavailable, or what `refusal` names, when none was free for `wait_s` seconds."""
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            if self._refusal is not None:
                raise self._refusal from None
            raise Unavailable(
                "More people ask for a page at this moment than can be served. Try again in a few seconds."
            ) from None
        try:
            yield
        finally:
            self._free.release()
