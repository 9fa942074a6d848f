"""The limit on votes per account. An account's first vote in a while asks nobody (`services/deferred_counter.py`), and
that is what nearly all people send; of those that do ask, all that wait share one call, as in the ballot box.

A limit that cannot be asked stops nobody from voting within the process's share (`services/rate_limiter.py`).
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

import structlog

from vote import redis_client
from vote.domain.installation import Installation
from vote.errors import TooManyRequests
from vote.services.best_effort_redis import BestEffortRedis
from vote.services.deferred_counter import DeferredCounter
from vote.services.rate_limiter import LocalRateLimiter, key_of, refuse, script
from vote.services.rate_limits import RateLimit

BATCH_MAX = 1_000  # accounts in one call: about a millisecond of the server's time
ASK_WITHIN_S = 0.3  # a healthy Redis answers in 1 ms; what is waited here is not there for the ballot box (box.py)

OnResult = Callable[[TooManyRequests | None], None]

logger = structlog.get_logger()


class VoteLimit:
    """The limit in one process. Belongs to one event loop."""

    def __init__(self, url: str, limit: RateLimit, installation: Installation, *, processes: int) -> None:
        self._limit = limit
        self._installation = installation
        self._script = redis_client.connect_async(url).register_script(script())
        self._local = LocalRateLimiter(processes)
        self._best_effort = BestEffortRedis()
        self._firsts = DeferredCounter(limit.span_s)
        self._waiting: list[tuple[str, int, OnResult]] = []
        self._running: asyncio.Task[None] | None = None

    def number(self, account: int) -> int:
        """How many ballots `ask` or `take` has to count for this one; none for an account's first in a while."""
        return self._firsts.cost(_subject(account), time.monotonic())

    def ask(self, account: int, number: int, tell: OnResult) -> None:
        """Count so many ballots, at least one; `tell` is called once, with the refusal when the account has no room: then
        nothing was counted. It is called from the event loop, after this returned, and raises nothing.
        """
        self._waiting.append((key_of(self._installation.id, self._limit, _subject(account)), number, tell))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def take(self, account: int, number: int) -> None:
        """Count so many ballots and wait. Raises TooManyRequests, and counts nothing, when the account has no room."""
        if not number:
            return
        told: asyncio.Future[TooManyRequests | None] = asyncio.get_running_loop().create_future()
        self.ask(account, number, lambda refusal: None if told.done() else told.set_result(refusal))
        refusal = await told
        if refusal is not None:
            raise refusal

    async def close(self) -> None:
        """Disconnect."""
        with contextlib.suppress(*redis_client.LogError):
            await self._script.registered_client.aclose()

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
            waits = await self._ask([key for key, _, _ in batch], [number for _, number, _ in batch])
            for (_, _, tell), wait_us in zip(batch, waits, strict=True):
                try:
                    tell(refuse(self._limit, wait_us) if wait_us > 0 else None)
                except Exception:  # whatever happens to one voter's answer, the others of the call get theirs
                    logger.exception("a limit was not told")

    async def _ask(self, keys: list[str], numbers: list[int]) -> list[float]:
        bucket, waits = [self._limit.interval_us, self._limit.burst], None
        try:
            if self._installation.id is not None:
                waits = await self._best_effort.ask_within(
                    ASK_WITHIN_S, lambda: self._script(keys=keys, args=[*bucket, *numbers])
                )
        except Exception:  # whatever it is: nobody may wait for ever
            logger.exception("the limit on votes could not be asked")
        return self._local.consume(self._limit, keys, numbers) if waits is None else waits


def _subject(account: int) -> str:
    return f"user:{account}"
