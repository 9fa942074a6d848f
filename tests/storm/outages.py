"""One orderly outage of each store while people go on voting, timed: how soon are ballots accepted, how soon recorded?

What is late depends on the machine, so each is measured twice: after a mere restart, and after a long outage. The second may
not take much longer than the first, whatever both are.

Not here: whether anything got lost. These presses are judged with all others of the storm.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

import psutil
import psycopg
import redis

from tests.storm.chaos import children_of
from tests.storm.people import Crowd, Ticket
from tests.storm.recorder import Attempt, Recorder

LEAD_S, AWAY_S, AFTER_S = (
    1.0,
    5.0,
    8.0,
)  # before it, of it at least, and long enough for the supervisor's 5 s of patience
SECONDS = LEAD_S + AWAY_S + AFTER_S
COUNT = 4  # outages: a restart and a long one of each store
TIMES_A_RESTART = 5  # a long outage may cost so many times what a mere restart does on the same machine
LEAST_S = 1.0  # promised on a machine with a core to spare; no outage is measured by less
BACK_WITHIN_S = 60.0
RETRY_AFTER_S = 1.0  # what a 503 asks for: here people do as they are told


class Outage(NamedTuple):
    """What one outage came to. `well_after_s`: from the return of the store until all was as before it."""

    what: str
    away_s: float
    well_after_s: float
    bound_s: float
    asked_meanwhile: int
    answered_meanwhile: int

    @property
    def is_within(self) -> bool:
        """Whether the promise was kept; while the database is away everybody must be answered too."""
        if self.bound_s == math.inf:
            return True
        return self.well_after_s <= self.bound_s and (
            self.what == "log" or self.answered_meanwhile == self.asked_meanwhile > 0
        )

    def line(self) -> str:
        """The figures in one line."""
        what = "every ballot accepted" if self.what == "log" else "all of them recorded"
        limit = "the measure of this machine" if self.bound_s == math.inf else f"at most {self.bound_s:.2f} s"
        return (
            f"{self.what} away {self.away_s:.1f} s, {self.answered_meanwhile} of {self.asked_meanwhile} presses answered"
            f" meanwhile; back → {what} after {self.well_after_s:.2f} s ({limit})"
        )


class Outages:
    """Takes stores away from one `vote up`, whose process is `parent`, while a crowd presses."""

    def __init__(
        self, parent: int, crowd: Callable[[float], Crowd], recorder: Recorder, *, database: str, log: str
    ) -> None:
        self._parent, self._crowd, self._recorder = parent, crowd, recorder
        self._database, self._log = database, log

    def all(self, tickets: Sequence[Ticket], each: int) -> list[Outage]:
        """A restart and a long outage of the log, then of PostgreSQL, with so many tickets each."""
        parts = [tickets[number * each : (number + 1) * each] for number in range(COUNT)]
        restarted = self.of_log(parts[0], 0.0, None)
        away = self.of_log(parts[1], AWAY_S, restarted.well_after_s)
        database = self.of_database(parts[2], 0.0, None)
        return [restarted, away, database, self.of_database(parts[3], AWAY_S, database.well_after_s)]

    def of_log(self, tickets: Sequence[Ticket], away_s: float, usual_s: float | None) -> Outage:
        """The log is killed, again and again for so long. Its return: it answers PING; it is cold until a worker has
        compared it.
        """
        went, returned, presses = self._outage(tickets, "ballot log", away_s, lambda: _pings(self._log))
        refused = [one.began for one in presses if one.outcome == "info" and one.began >= returned]
        first = min(one.ended for one in presses if one.outcome == "ok" and one.ended >= returned)
        return _outage("log", went, returned, max([first, *refused]) - returned, usual_s, presses)

    def of_database(self, tickets: Sequence[Ticket], away_s: float, usual_s: float | None) -> Outage:
        """PostgreSQL is killed, again and again for so long. Well: what was accepted until its return is recorded."""
        went, returned, presses = self._outage(tickets, "database", away_s, lambda: _selects(self._database))
        since = time.time() - time.monotonic()
        with psycopg.connect(self._database) as connection:
            row = connection.execute(
                "SELECT extract(epoch FROM max(recorded_at)) FROM ballots WHERE cast_at <= to_timestamp(%s)",
                (since + returned,),
            ).fetchone()
        assert row is not None
        well_after_s = max(0.0, float(row[0]) - since - returned)
        # As long as it was away is what is promised; there is that much more to record than after a restart.
        usual = None if usual_s is None else max(usual_s, (returned - went) / TIMES_A_RESTART)
        return _outage("database", went, returned, well_after_s, usual, presses)

    def _outage(
        self, tickets: Sequence[Ticket], part: str, away_s: float, answers: Callable[[], bool]
    ) -> tuple[float, float, list[Attempt]]:
        """When the part went, when it was back, and every press before, meanwhile and after."""
        began = time.monotonic()
        with ThreadPoolExecutor(1) as background:
            pressing = background.submit(asyncio.run, self._crowd(RETRY_AFTER_S).run(tickets, seconds=SECONDS))
            time.sleep(LEAD_S)
            went = time.monotonic()
            self._keep_away(part, went + away_s)
            while not answers():
                if time.monotonic() > went + BACK_WITHIN_S:
                    raise TimeoutError(f"the {part} did not come back")
                time.sleep(0.005)
            returned = time.monotonic()
            pressing.result()
        return went, returned, [one for one in self._recorder.read() if one.began >= began]

    def _keep_away(self, part: str, until: float) -> None:
        while True:  # once at least
            for process in children_of(self._parent, part):
                with suppress(psutil.Error):
                    process.kill()
            if time.monotonic() >= until:
                return
            time.sleep(0.02)


def _outage(
    what: str, went: float, returned: float, well_after_s: float, usual_s: float | None, attempts: list[Attempt]
) -> Outage:
    bound_s = math.inf if usual_s is None else TIMES_A_RESTART * max(usual_s, LEAST_S)
    meanwhile = [one for one in attempts if went <= one.began < returned]
    answered = sum(one.outcome != "info" for one in meanwhile)
    return Outage(what, returned - went, well_after_s, bound_s, len(meanwhile), answered)


def _pings(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False  # also while it reads its file


def _selects(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.Error:
        return False
