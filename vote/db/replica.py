"""Reads results from a streaming replica while it is fresh, so that people who watch cost the primary little.

A thread measures once a second how old the replica's content may be; readers only look at what it found. They never
wait for a measurement, and a replica that is away or late is not asked at all. One that fails in the middle costs whoever
asked TIMEOUT_S, and sends everybody to the primary until the next measurement.

The age is measured in WAL, not in time stamps: `pg_last_xact_replay_timestamp` cannot tell an idle primary from a
replica that is cut off, compares the clocks of two machines, and a replica that is cut off has replayed all it received.
Here the primary says how far it is; once the replica has replayed that far, it is as new as the moment of the question.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import LiteralString, TypeVar

import psycopg
import structlog
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from vote import tcp_keepalive
from vote.config import DatabaseTarget
from vote.db import tallies
from vote.db.pool import CONNECT_TIMEOUT_S, Database, Tx
from vote.domain.competition import Competition
from vote.domain.tally import Tally
from vote.errors import DatabaseUnavailable

CHECK_EVERY_S = 1.0
TIMEOUT_S = 0.5  # for a connection, and for each answer: a frozen replica answers nothing and closes nothing
CATCH_UP_S = 0.3  # how long an export waits for it to hold what the primary holds
NEVER = float("-inf")

PRIMARY_IS_AT: LiteralString = "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint"
REPLICA_IS_AT: LiteralString = "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint"

T = TypeVar("T")

logger = structlog.get_logger()


class NotUsable(Exception):
    """What answers is no replica of this primary."""


class _Impatient(Tx):
    """A connection that gives up soon: the primary answers too."""

    timeout_s = TIMEOUT_S


class Replica:
    """The replica at `target`, or none: then it never answers. Its role there is vote_reports, and it never writes."""

    def __init__(self, target: DatabaseTarget | None, primary: Database, *, size: int, max_lag_s: float) -> None:
        self._target, self._primary, self._max_lag_s = target, primary, max_lag_s
        self._pool = None if target is None else self._make_pool(target, size)
        self._samples: deque[tuple[float, int]] = deque(maxlen=int(max_lag_s / CHECK_EVERY_S) + 2)
        self._fresh_at = NEVER  # the replica has everything the primary had at this moment
        self._failed_at = NEVER
        self._is_used: bool | None = None  # not said yet
        self._shown: dict[int, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="replica", daemon=True)

    def _make_pool(self, target: DatabaseTarget, size: int) -> ConnectionPool[_Impatient]:
        return ConnectionPool(
            target.url,
            connection_class=_Impatient,
            min_size=1,
            max_size=size,
            timeout=TIMEOUT_S,
            reconnect_timeout=0,
            open=False,
            configure=self._configure,
            name="vote reports",
            # No check before each use: a broken connection fails at once, and then the primary answers.
            kwargs={
                "autocommit": True,
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": "vote reports",
                **tcp_keepalive.for_postgres(target.url),
                "prepare_threshold": None,
            },
        )

    def _configure(self, connection: Tx) -> None:
        if self._target is not None and self._target.set_role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(self._target.set_role)))
        connection.execute("SET default_transaction_read_only = on")  # also when somebody promotes it
        connection.execute(f"SET statement_timeout = {int(TIMEOUT_S * 1000)}")

    def start(self) -> None:
        """Begin to measure."""
        if self._pool is not None:
            self._pool.open()
            self._thread.start()

    def close(self) -> None:
        """Let go of it. A second call does nothing."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._pool is not None:
            self._pool.close()

    @property
    def is_fresh(self) -> bool:
        """Whether all it holds is at most the permitted lag old."""
        return time.monotonic() - self._fresh_at <= self._max_lag_s

    def ask(self, question: Callable[[Tx], T]) -> T | None:
        """Its answer; None when the primary must be asked instead. It only reads, and so it may be asked again there."""
        if self._pool is None or not self.is_fresh:
            return None
        try:
            with self._pool.connection() as connection:
                return question(connection)
        except (PoolTimeout, TooManyRequests):
            return None  # all connections are in use: that says nothing of the replica
        except psycopg.Error as error:
            self._give_up(str(error).strip())
            return None

    def ask_up_to_now(self, question: Callable[[Tx], T], tx: Tx) -> T | None:
        """Its answer, when it holds all that the primary (`tx`) holds at this moment; None when the primary must be asked.

        It may need some milliseconds to get there, and is given CATCH_UP_S.
        """
        if self._pool is None or not self.is_fresh:
            return None
        wanted = _number(tx, PRIMARY_IS_AT)
        return self.ask(lambda there: question(there) if _reaches(there, wanted) else None)

    def tally(self, competition: Competition, tx: Tx, *, at_least: int = 0) -> Tally | None:
        """The tally to show of a competition as the primary has it now; `tx` is the primary's.

        Only what is open is read from the replica: a tally that is or becomes final is the primary's to tell. Never
        older than `at_least`, nor than what this process has shown.
        """
        if competition.state == "open":
            found = (self.ask(lambda there: tallies.read(there, [competition.id])) or {}).get(competition.id)
            if found is not None and found.version >= at_least and self.may_show(found):
                return found
        mine = tallies.read(tx, [competition.id]).get(competition.id)
        if mine is not None:
            self.has_shown(mine)
        return mine

    def may_show(self, tally: Tally) -> bool:
        """Whether a tally of the replica is neither about to be final nor older than what this process has shown."""
        with self._lock:
            if tally.state != "open" or tally.version < self._shown.get(tally.competition, 0):
                return False
            self._shown[tally.competition] = tally.version
            return True

    def has_shown(self, tally: Tally) -> None:
        """Remember a tally of the primary, so that no older one follows it."""
        with self._lock:
            self._shown[tally.competition] = max(tally.version, self._shown.get(tally.competition, 0))

    def _follow(self) -> None:
        while True:
            self._measure()
            if self._stop.wait(CHECK_EVERY_S):
                return

    def _measure(self) -> None:
        try:
            before = self._position_of_primary()
            replayed = self._replayed()
            if replayed > before[1] and replayed > self._position_of_primary()[1]:
                raise NotUsable("it has WAL that the primary has not")
        except DatabaseUnavailable:
            return  # not known: what is known grows old by itself
        except (PoolTimeout, TooManyRequests):
            self._say(self.is_fresh, "it does not answer")
        except (psycopg.Error, NotUsable) as error:
            self._give_up(str(error).strip())
        else:
            self._judge(before, replayed)

    def _judge(self, sample: tuple[float, int], replayed: int) -> None:
        if self._samples and sample[1] < self._samples[-1][1]:
            self._samples.clear()  # another primary: what the old one said does not count
        self._samples.append(sample)
        reached = [at for at, position in self._samples if position <= replayed]
        if reached and not self._is_used and self._pool is not None:
            self._pool.check()  # connections from before it was away would fail one by one
        with self._lock:  # a measurement that was under way when an ask failed says nothing of the time after
            self._fresh_at = reached[-1] if reached and reached[-1] > self._failed_at else NEVER
        self._say(self.is_fresh, "it is too far behind")

    def _position_of_primary(self) -> tuple[float, int]:
        at = time.monotonic()
        with self._primary.read() as tx:
            # What is flushed is all a replica can have; commits are flushed before anybody sees them.
            return at, _number(tx, PRIMARY_IS_AT)

    def _replayed(self) -> int:
        assert self._pool is not None
        with self._pool.connection() as connection:
            if not _number(connection, "SELECT pg_is_in_recovery()::int"):
                raise NotUsable("it is no replica, or was promoted")
            return _number(connection, REPLICA_IS_AT)

    def _give_up(self, why: str) -> None:
        with self._lock:
            self._failed_at, self._fresh_at = time.monotonic(), NEVER
        self._say(False, why)

    def _say(self, is_used: bool, why: str) -> None:
        """One line for a change, not one a second."""
        with self._lock:
            changed, self._is_used = is_used != self._is_used, is_used
        if changed and is_used:
            logger.info("results are read from the replica")
        elif changed:
            logger.warning("results are read from the primary", reason=why)


def _reaches(there: Tx, wanted: int) -> bool:
    until = time.monotonic() + CATCH_UP_S
    while _number(there, REPLICA_IS_AT) < wanted:
        if time.monotonic() > until:
            return False
        time.sleep(0.01)  # between two looks
    return True


def _number(tx: Tx, statement: LiteralString) -> int:
    row = tx.execute(statement).fetchone()
    assert row is not None
    return int(row[0])
