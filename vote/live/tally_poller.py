"""Reads the watched competitions and publishes changes, at most four times a second.

The rate does not depend on the number of votes or watchers, and nothing is read while nobody watches. People who open a
socket share the next read, so a thousand who come back at once cost one query, not a thousand. While the database is
down nothing is published and nothing is lost: the next successful read is up to date.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Literal

import psycopg
import structlog

from vote.db import competitions, shard_positions, tallies
from vote.db.pool import Database
from vote.domain.competition import Competition
from vote.domain.tally import Tally
from vote.errors import DatabaseUnavailable
from vote.live.commit_times import CommitTimes
from vote.live.messages import CompetitionView, view_of

INTERVAL_S = 0.25  # from the start of one reading to the next: faster than eyes follow a bar, and one query
REST_S = 0.05  # after a reading that took longer: a slow database gets a pause
WAIT_S = 3.0  # the longest a new socket waits for a frozen database; then 503
RESTART_S = 1.0  # after an unexpected error
REWOUND_S = 5.0  # older for so long: the database was taken back in time (a restore)

logger = structlog.get_logger()


class TallyPoller:
    """Polls the watched competitions. Belongs to one event loop."""

    def __init__(
        self,
        db: Database,
        watched: Callable[[], Collection[int]],
        on_change: Callable[[int, CompetitionView | Literal["gone", "rewound"]], None],
    ) -> None:
        self._db = db
        self._watched = watched
        self._on_change = on_change
        self._views: dict[int, CompetitionView] = {}
        self._requested: dict[int, asyncio.Future[CompetitionView | None]] = {}
        self._behind_since: dict[int, float] = {}
        self._commits = CommitTimes()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_away = False

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._follow(), name="live feed")

    async def stop(self) -> None:
        """End; callers that still wait for a view get DatabaseUnavailable."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        _refuse(self._take_requested())

    def wake(self) -> None:
        """Start reading, because someone has begun to watch."""
        self._wanted.set()

    def known(self, competition: int) -> CompetitionView | None:
        """Return the latest view of a watched competition; None when there is none yet."""
        return self._views.get(competition)

    async def view(self, competition: int) -> CompetitionView | None:
        """Return the present view, None when there is no such competition. Raises DatabaseUnavailable.

        Returns at once when the competition is watched already, else after the next reading.
        """
        if competition in self._views:
            return self._views[competition]
        if competition not in self._requested:
            self._requested[competition] = asyncio.get_running_loop().create_future()
        self.wake()
        try:
            async with asyncio.timeout(WAIT_S):
                return await asyncio.shield(
                    self._requested[competition]
                )  # shared: a caller that gives up cancels nothing
        except TimeoutError:
            raise DatabaseUnavailable from None

    async def _follow(self) -> None:
        while True:
            if not self._requested and not self._watched():
                self._views.clear()  # nothing keeps them fresh from here on
                self._wanted.clear()
                await self._wanted.wait()
            began = time.monotonic()
            try:
                await self._read_once()
            except Exception:  # whatever it is: if this task ended, watchers would wait forever
                logger.exception("live results failed")
                await asyncio.sleep(RESTART_S)
            await asyncio.sleep(max(REST_S, INTERVAL_S - (time.monotonic() - began)))

    async def _read_once(self) -> None:
        requested = self._take_requested()
        ids = {*self._watched(), *requested}
        try:
            read, rules, committed_at = await asyncio.to_thread(self._read, sorted(ids))
            self._is_away = False
            for competition in ids:
                self._compare(competition, read.get(competition), rules.get(competition), committed_at)
            for competition, future in requested.items():
                future.set_result(self._views.get(competition))
        except (DatabaseUnavailable, psycopg.Error) as error:
            self._note_away(error)
        finally:
            _refuse(requested)
        for competition in self._views.keys() - ids:
            del self._views[competition]

    def _read(self, ids: list[int]) -> tuple[dict[int, Tally], dict[int, Competition], float | None]:
        """Return tallies, then the rules of those that changed, and when they did. Read in this order, rules are never older
        than the tally.
        """
        with self._db.read() as tx:
            read = tallies.read(tx, ids)
            changed = [tally.competition for tally in read.values() if self._is_new(tally)]
            if not changed:
                return read, {}, None
            committed_at = self._commits.oldest_new(shard_positions.last_moves(tx))
            return read, {rules.id: rules for rules in competitions.find_many(tx, changed)}, committed_at

    def _is_new(self, tally: Tally) -> bool:
        known = self._views.get(tally.competition)
        return known is None or tally.version > known.figures.version

    def _compare(
        self, competition: int, tally: Tally | None, rules: Competition | None, committed_at: float | None
    ) -> None:
        known = self._views.get(competition)
        if tally is not None and rules is not None:
            self._behind_since.pop(competition, None)
            self._views[competition] = view = view_of(tally, rules, None if known is None else committed_at)
            self._on_change(competition, view)
        elif tally is None or self._is_new(tally):  # deleted, now or between the two statements
            self._forget(competition, "gone")
        elif known is not None and tally.version < known.figures.version:
            since = self._behind_since.setdefault(competition, time.monotonic())
            if time.monotonic() - since > REWOUND_S:
                self._forget(competition, "rewound")
        else:
            self._behind_since.pop(competition, None)

    def _forget(self, competition: int, why: Literal["gone", "rewound"]) -> None:
        self._behind_since.pop(competition, None)
        if self._views.pop(competition, None) is not None:
            self._on_change(competition, why)

    def _take_requested(self) -> "dict[int, asyncio.Future[CompetitionView | None]]":
        requested, self._requested = self._requested, {}
        return requested

    def _note_away(self, error: DatabaseUnavailable | psycopg.Error) -> None:
        if not self._is_away:  # one line per outage, not four a second
            logger.warning("live results paused", reason=str(error.__cause__ or error).strip())
        self._is_away = True


def _refuse(requested: "dict[int, asyncio.Future[CompetitionView | None]]") -> None:
    """Fail the requests that got no answer with DatabaseUnavailable."""
    for future in requested.values():
        if not future.done():
            future.set_exception(DatabaseUnavailable())
            future.exception()  # retrieved, so that asyncio does not complain when every caller has gone away
