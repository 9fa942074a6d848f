"""Keeps what this process has acknowledged where the log cannot lose it (R6): its marks.

Once a second, and at once when the connection to the log breaks, the log compares the marks of this process with what it
holds, and they are written to PostgreSQL for the workers. Never on the way of a ballot: what PostgreSQL knows is up to a
second late, and later while it is away. A process that is told to end writes them once more.
"""

import asyncio
import time

import structlog

from vote.ballotlog.ballot_box import BallotBox
from vote.db import acknowledged_marks
from vote.db.pool import Database
from vote.domain.mark import AcknowledgedMark
from vote.errors import DatabaseUnavailable

EVERY_S = 1.0
ALL_AGAIN_S = 10.0  # PostgreSQL may have gone back to an older state, and with it the marks
BY = "marks"

logger = structlog.get_logger()


class AcknowledgedMarks:
    """The marks of one process. Belongs to the event loop of its ballot box."""

    def __init__(self, box: BallotBox, db: Database) -> None:
        self._box, self._db = box, db
        self._written: dict[int, AcknowledgedMark] = {}
        self._next_all = 0.0
        self._writing: asyncio.Task[None] | None = None

    async def follow(self) -> None:
        """Compare and write until cancelled."""
        while True:
            await self._box.until_broken(EVERY_S)
            if self._writing is None or self._writing.done():  # a database that is slow keeps no comparison
                self._writing = asyncio.create_task(self.write())
            self._box.compare_soon()

    async def finish(self) -> None:
        """Write what is not written yet, when no ballot is cast any more."""
        if self._writing is not None:
            await self._writing
        await self.write()

    async def write(self) -> None:
        """Write the marks that have grown. Without a database they stay due."""
        now = time.monotonic()
        if now >= self._next_all:
            self._written, self._next_all = {}, now + ALL_AGAIN_S
        due = {shard: mark for shard, mark in self._box.marks.items() if self._written.get(shard) != mark}
        if not due:
            return
        try:
            await asyncio.to_thread(self._write, due)
        except DatabaseUnavailable:
            return
        except Exception:  # whatever it is: who has ended writes nothing any more
            logger.exception("marks could not be written")
            return
        self._written |= due

    def _write(self, due: dict[int, AcknowledgedMark]) -> None:
        with self._db.transaction(by=BY) as tx:
            acknowledged_marks.raise_to(tx, due)
