"""Reads the watched competitions and tells what changed: at most four readings a second, however many votes are cast
and however many people watch; none at all when nobody does.

People who open a socket wait for the same readings, so that a thousand who come back at once cost one more query, not
a thousand. While the database is away nothing is told and nothing is lost: the next reading that works has the truth.
"""

import asyncio
import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import psycopg
import structlog

from vote.db import competitions, tallies
from vote.db.pool import Database, Tx
from vote.db.replica import Replica
from vote.domain.competition import Competition
from vote.domain.page_state import page_state
from vote.domain.tally import Tally
from vote.errors import DatabaseUnavailable
from vote.live.hub import Kind, SnapshotMessage

INTERVAL_S = 0.25  # between the beginnings of two readings: faster than eyes follow a bar, and one query
REST_S = 0.05  # after a reading that took longer than that: a slow database is not asked without a pause
WAIT_S = 3.0  # the longest somebody who opens a socket waits for a database that is frozen; then 503
RESTART_S = 1.0  # after an error nobody expected
REWOUND_S = 5.0  # longer than any replica lags: the database was taken back in time (a restore)

logger = structlog.get_logger()


Reading = tuple[dict[int, Tally], dict[int, Competition]]


@dataclass(frozen=True, slots=True)
class CompetitionView:
    """A competition as it is shown: its rules, never older than its numbers, and each kind of message, ready to be sent."""

    competition: Competition
    news: SnapshotMessage
    state: SnapshotMessage
    page: SnapshotMessage

    def of_kind(self, kind: Kind) -> SnapshotMessage:
        """The message of this kind."""
        return self.news if kind == "figures" else self.state if kind == "state" else self.page


class Feed:
    """Follows what is watched. Belongs to one event loop.

    `watched` names the competitions to follow. `tell` is called in the loop with each board that changed, or with why
    there is none any more: the competition is `gone`, or the database was `rewound` to older numbers.
    """

    def __init__(
        self,
        db: Database,
        watched: Callable[[], Collection[int]],
        tell: Callable[[int, CompetitionView | Literal["gone", "rewound"]], None],
        replica: Replica | None = None,
    ) -> None:
        self._db = db
        self._replica = replica
        self._watched = watched
        self._tell = tell
        self._boards: dict[int, CompetitionView] = {}
        self._asked: dict[int, asyncio.Future[CompetitionView | None]] = {}
        self._behind_since: dict[int, float] = {}
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_away = False

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.get_running_loop().create_task(self._follow(), name="live feed")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """End; whoever waits for a board is told that there will be none."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        _refuse(self._take_asked())

    def wake(self) -> None:
        """Somebody has begun to watch."""
        self._wanted.set()

    def known(self, competition: int) -> CompetitionView | None:
        """What was read last of a competition that is watched."""
        return self._boards.get(competition)

    async def board(self, competition: int) -> CompetitionView | None:
        """The present board, None when there is no such competition. Raises DatabaseUnavailable.

        At once when somebody watches it already, else with the next reading.
        """
        if competition in self._boards:
            return self._boards[competition]
        if competition not in self._asked:
            self._asked[competition] = asyncio.get_running_loop().create_future()
        self.wake()
        try:
            async with asyncio.timeout(WAIT_S):
                return await asyncio.shield(self._asked[competition])  # it is shared: one who gives up cancels nothing
        except TimeoutError:
            raise DatabaseUnavailable from None

    async def _follow(self) -> None:
        while True:
            if not self._asked and not self._watched():
                self._boards.clear()  # nobody keeps them fresh from here on
                self._wanted.clear()
                await self._wanted.wait()
            began = time.monotonic()
            await self._read_once()
            await asyncio.sleep(max(REST_S, INTERVAL_S - (time.monotonic() - began)))

    async def _read_once(self) -> None:
        asked = self._take_asked()
        ids = {*self._watched(), *asked}
        try:
            read, rules = await asyncio.to_thread(self._read, sorted(ids))
            self._is_away = False
            for competition in ids:
                self._compare(competition, read.get(competition), rules.get(competition))
            for competition, future in asked.items():
                future.set_result(self._boards.get(competition))
        except (DatabaseUnavailable, psycopg.Error) as error:
            self._note_away(error)
        finally:
            _refuse(asked)
        for competition in self._boards.keys() - ids:
            del self._boards[competition]

    def _read(self, ids: list[int]) -> Reading:
        """In a thread: from the replica what it may tell; the rest, final tallies among it, from the primary."""
        read, rules = self._read_replica(ids)
        rest = [competition for competition in ids if competition not in read]
        if rest:
            with self._db.read() as tx:
                more, their_rules = self._look(tx, rest)
            if self._replica is not None:
                for tally in more.values():
                    self._replica.has_shown(tally)
            read, rules = read | more, rules | their_rules
        return read, rules

    def _read_replica(self, ids: list[int]) -> Reading:
        answer = None if self._replica is None else self._replica.ask(lambda tx: self._look(tx, ids))
        if self._replica is None or answer is None:
            return {}, {}
        read = {one: tally for one, tally in answer[0].items() if self._replica.may_show(tally)}
        return read, {one: rules for one, rules in answer[1].items() if one in read}

    def _look(self, tx: Tx, ids: list[int]) -> Reading:
        """The tallies, then the rules of those that changed. In this order rules are never the older."""
        read = tallies.read(tx, ids)
        changed = [tally.competition for tally in read.values() if self._is_new(tally)]
        return read, {one.id: one for one in competitions.find_many(tx, changed)} if changed else {}

    def _is_new(self, tally: Tally) -> bool:
        known = self._boards.get(tally.competition)
        return known is None or tally.version > known.news.version

    def _compare(self, competition: int, tally: Tally | None, rules: Competition | None) -> None:
        known = self._boards.get(competition)
        if tally is not None and rules is not None:
            self._behind_since.pop(competition, None)
            self._boards[competition] = board = _board(tally, rules)
            self._tell(competition, board)
        elif tally is None or self._is_new(tally):  # deleted, now or between the two statements
            self._forget(competition, "gone")
        elif known is not None and tally.version < known.news.version:
            since = self._behind_since.setdefault(competition, time.monotonic())
            if time.monotonic() - since > REWOUND_S:
                self._forget(competition, "rewound")
        else:
            self._behind_since.pop(competition, None)

    def _forget(self, competition: int, why: Literal["gone", "rewound"]) -> None:
        self._behind_since.pop(competition, None)
        if self._boards.pop(competition, None) is not None:
            self._tell(competition, why)

    def _take_asked(self) -> "dict[int, asyncio.Future[CompetitionView | None]]":
        asked, self._asked = self._asked, {}
        return asked

    def _note_away(self, error: DatabaseUnavailable | psycopg.Error) -> None:
        if not self._is_away:  # one line for an outage, not four a second
            logger.warning("live results wait for the database", reason=str(error.__cause__ or error).strip())
        self._is_away = True

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """The loop never ends by itself; should it fail all the same, watchers must not wait for ever."""
        if task.cancelled() or self._task is not task:
            return
        logger.error("live results failed", exc_info=task.exception())
        _refuse(self._take_asked())
        asyncio.get_running_loop().call_later(RESTART_S, self._start_again)

    def _start_again(self) -> None:
        if self._task is not None:
            self.start()


def _refuse(asked: "dict[int, asyncio.Future[CompetitionView | None]]") -> None:
    """Tell those who were not answered that it cannot be known now."""
    for future in asked.values():
        if not future.done():
            future.set_exception(DatabaseUnavailable())
            future.exception()  # looked at, so that nothing complains when all who asked have gone away


def _board(tally: Tally, rules: Competition) -> CompetitionView:
    # The state is the tally's: whether numbers may be seen is judged by the state they were counted in.
    competition = replace(rules, state=tally.state)
    number, snapshot, known = tally.competition, tally.snapshot(), page_state(competition)
    return CompetitionView(
        competition,
        SnapshotMessage(number, tally.version, _json(snapshot)),
        SnapshotMessage(
            number, known["revision"], _json({"competition": number, "version": known["revision"], **known}), "state"
        ),
        SnapshotMessage(number, tally.version, _json({**snapshot, "page": known}), "page"),
    )


def _json(message: Mapping[str, object]) -> str:
    return json.dumps(message, separators=(",", ":"))
