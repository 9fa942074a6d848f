"""Keeps the competitions' receipt keys in memory, so that voters get receipts while PostgreSQL is down.

A key never changes, so a known one stays valid. Keys of new competitions are read every second, and on first use.
"""

import asyncio
import contextlib

from vote.db import competitions
from vote.db.pool import Database
from vote.errors import DatabaseUnavailable, NoSuchCompetition

REFRESH_S = 1.0
OVERLAP_IDS = 100  # ids become visible out of order when transactions overlap


class ReceiptKeys:
    """One process's cache of receipt keys."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._keys: dict[int, bytes] = {}
        self._followed_to = 0

    def known(self, competition: int) -> bytes | None:
        """Return a competition's key if this process has read it, else None."""
        return self._keys.get(competition)

    async def key_of(self, competition: int) -> bytes:
        """Return a competition's key. Raises NoSuchCompetition, or DatabaseUnavailable for a key that must be read."""
        key = self._keys.get(competition)
        if key is None:
            await asyncio.to_thread(self._load, [competition])
            key = self._keys.get(competition)
        if key is None:
            raise NoSuchCompetition
        return key

    async def refresh(self) -> None:
        """Read the keys of new competitions; while PostgreSQL is down, keep the known ones."""
        with contextlib.suppress(DatabaseUnavailable):
            await asyncio.to_thread(self._load, None)

    async def follow(self) -> None:
        """Read the keys of new competitions until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            await self.refresh()

    def _load(self, wanted: list[int] | None) -> None:
        with self._db.read() as tx:
            found = competitions.receipt_keys(tx, wanted, known_up_to=self._followed_to - OVERLAP_IDS)
            if wanted is None and found.get(self._followed_to) != self._keys.get(self._followed_to):
                # The newest known competition is gone. Either it was deleted, or the database lost its newest rows (a
                # promoted standby, a restored backup) and may assign their ids again, with other keys.
                found = competitions.receipt_keys(tx, None, known_up_to=0)
                self._keys = {}
        self._keys.update(found)
        if wanted is None:
            self._followed_to = max(found, default=0)
