"""Keeps the high-water marks of acknowledged ballots outside the log, which may lose them (R6).

Once a second, and at once when the connection to the log breaks, the log compares this process's marks with its
entries, and the marks are written to PostgreSQL for the workers. This is never on the path of a ballot, so PostgreSQL
is up to a second behind, and more while it is down. An orderly shutdown writes the marks once more.
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
ALL_AGAIN_S = 10.0  # PostgreSQL may have been set back to an older state, and its marks with it
BY = "marks"

logger = structlog.get_logger()


class AcknowledgedMarks:
    """One process's marks. Belongs to the event loop of its ballot box."""

    def __init__(self, box: BallotBox, db: Database) -> None:
        self._box, self._db = box, db
        self._written: dict[int, AcknowledgedMark] = {}
        self._next_all = 0.0
        self._writing: asyncio.Task[None] | None = None

    async def follow(self) -> None:
        """Compare and write until cancelled."""
        while True:
            await self._box.until_broken(EVERY_S)
            if self._writing is None or self._writing.done():  # a slow database must not delay comparing
                self._writing = asyncio.create_task(self.write())
            self._box.compare_soon()

    async def finish(self) -> None:
        """Write the marks that are not written yet. Call it when no more ballots are cast."""
        if self._writing is not None:
            await self._writing
        await self.write()

    async def write(self) -> None:
        """Write the marks that have grown. While the database is down they stay due."""
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
        except Exception:  # whatever it is: a task that died would never write again
            logger.exception("marks could not be written")
            return
        self._written |= due

    def _write(self, due: dict[int, AcknowledgedMark]) -> None:
        with self._db.transaction(by=BY) as tx:
            acknowledged_marks.raise_to(tx, due)
