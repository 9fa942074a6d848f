"""The receipt keys of the competitions, kept in memory: a voter gets a receipt also while PostgreSQL is away.

A key never changes, so what is known stays known. New competitions are read every second, and when first asked for.
"""

import asyncio
import contextlib

from vote.db import competitions
from vote.db.pool import Database
from vote.errors import DatabaseUnavailable, NoSuchCompetition

REFRESH_S = 1.0
OVERLAP_IDS = 100  # ids become visible out of order when transactions overlap


class ReceiptKeys:
    """The keys known to one process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._keys: dict[int, bytes] = {}
        self._followed_to = 0

    def known(self, competition: int) -> bytes | None:
        """The key of a competition that this process has read."""
        return self._keys.get(competition)

    async def key_of(self, competition: int) -> bytes:
        """The key of a competition. Raises NotFound, or DatabaseUnavailable when it is not known and cannot be asked."""
        key = self._keys.get(competition)
        if key is None:
            await asyncio.to_thread(self._load, [competition])
            key = self._keys.get(competition)
        if key is None:
            raise NoSuchCompetition
        return key

    async def refresh(self) -> None:
        """Read new competitions; while PostgreSQL is away, what is known stays known."""
        with contextlib.suppress(DatabaseUnavailable):
            await asyncio.to_thread(self._load, None)

    async def follow(self) -> None:
        """Read new competitions for ever."""
        while True:
            await asyncio.sleep(REFRESH_S)
            await self.refresh()

    def _load(self, wanted: list[int] | None) -> None:
        with self._db.read() as tx:
            found = competitions.receipt_keys(tx, wanted, known_up_to=self._followed_to - OVERLAP_IDS)
            if wanted is None and found.get(self._followed_to) != self._keys.get(self._followed_to):
                # The newest one known is gone: deleted, or this database lacks the newest rows (a promoted standby, a
                # restored backup), and gives their ids again, with other keys.
                found = competitions.receipt_keys(tx, None, known_up_to=0)
                self._keys = {}
        self._keys.update(found)
        if wanted is None:
            self._followed_to = max(found, default=0)
