"""Read reports and exports from a streaming replica while it is fresh, so that long queries cost the primary little.

A thread measures once a second how old the replica's content may be; readers only look at the last measurement. They never
wait for one, and a replica that is away or late gets no queries at all. One that fails halfway costs its caller TIMEOUT_S,
and sends everyone to the primary until the next measurement.

The age is measured in WAL, not in time stamps: `pg_last_xact_replay_timestamp` cannot distinguish an idle primary from a
replica that is cut off, compares the clocks of two machines, and a replica that is cut off has replayed all it received.
Here the primary reports its position; once the replica has replayed that far, it is as new as the moment of the report.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import LiteralString, TypeVar

import psycopg
import structlog
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from vote.config import DatabaseTarget
from vote.db.pool import Database, Tx, connection_options, set_role
from vote.errors import DatabaseUnavailable

NAME = "vote reports"
CHECK_EVERY_S = 1.0
TIMEOUT_S = 0.5  # for a connection, and for each answer: a frozen replica answers nothing and closes nothing
CATCH_UP_S = 0.3  # how long an export waits for the replica to catch up with the primary
NEVER = float("-inf")

PRIMARY_IS_AT: LiteralString = "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint"
REPLICA_IS_AT: LiteralString = "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint"

T = TypeVar("T")

logger = structlog.get_logger()


class NotUsable(Exception):
    """The server is no replica of this primary."""


class _ShortTimeoutTx(Tx):
    """A connection with a short timeout: the primary can answer instead."""

    timeout_s = TIMEOUT_S


class Replica:
    """The replica at `target`; with None it never answers. Connects as vote_reports, and never writes."""

    def __init__(self, target: DatabaseTarget | None, primary: Database, *, size: int, max_lag_s: float) -> None:
        self._target, self._primary, self._max_lag_s = target, primary, max_lag_s
        self._pool = None if target is None else self._make_pool(target, size)
        self._samples: deque[tuple[float, int]] = deque(maxlen=int(max_lag_s / CHECK_EVERY_S) + 2)
        self._fresh_at = NEVER  # the replica has everything the primary had at this moment
        self._failed_at = NEVER
        self._is_used: bool | None = None  # None: not logged yet
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="replica", daemon=True)

    def _make_pool(self, target: DatabaseTarget, size: int) -> ConnectionPool[_ShortTimeoutTx]:
        return ConnectionPool(
            target.url,
            connection_class=_ShortTimeoutTx,
            min_size=1,
            max_size=size,
            timeout=TIMEOUT_S,
            reconnect_timeout=0,
            open=False,
            configure=self._configure,
            name=NAME,
            # No check before each use: a broken connection fails at once, and then the primary answers.
            kwargs=connection_options(target, NAME),
        )

    def _configure(self, connection: Tx) -> None:
        if self._target is not None:
            set_role(connection, self._target)
        connection.execute("SET default_transaction_read_only = on")  # also when someone promotes it
        connection.execute(f"SET statement_timeout = {int(TIMEOUT_S * 1000)}")

    def start(self) -> None:
        """Start to measure."""
        if self._pool is not None:
            self._pool.open()
            self._thread.start()

    def close(self) -> None:
        """Stop measuring and disconnect. A second call does nothing."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._pool is not None:
            self._pool.close()

    @property
    def is_fresh(self) -> bool:
        """Return whether its content is at most the permitted lag old."""
        return time.monotonic() - self._fresh_at <= self._max_lag_s

    def ask(self, question: Callable[[Tx], T]) -> T | None:
        """Return the replica's answer, or None to ask the primary. `question` only reads: it may be asked twice."""
        if self._pool is None or not self.is_fresh:
            return None
        try:
            with self._pool.connection() as connection:
                return question(connection)
        except (PoolTimeout, TooManyRequests):
            return None  # all connections are in use: that says nothing about the replica
        except psycopg.Error as error:
            self._give_up(str(error).strip())
            return None

    def ask_up_to_now(self, question: Callable[[Tx], T], tx: Tx) -> T | None:
        """Return the replica's answer once it holds all that the primary (`tx`) holds now; None to ask the primary.

        It may take some milliseconds to get there, CATCH_UP_S at most.
        """
        if self._pool is None or not self.is_fresh:
            return None
        wanted = tx.fetch_value(PRIMARY_IS_AT)
        return self.ask(lambda replica_tx: question(replica_tx) if _reaches(replica_tx, wanted) else None)

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
            return  # unknown: the last measurement ages by itself
        except (PoolTimeout, TooManyRequests):
            self._note_use(self.is_fresh, "it does not answer")
        except (psycopg.Error, NotUsable) as error:
            self._give_up(str(error).strip())
        else:
            self._judge(before, replayed)

    def _judge(self, sample: tuple[float, int], replayed: int) -> None:
        if self._samples and sample[1] < self._samples[-1][1]:
            self._samples.clear()  # another primary: the old one's positions do not count
        self._samples.append(sample)
        reached = [sampled_at for sampled_at, position in self._samples if position <= replayed]
        if reached and not self._is_used and self._pool is not None:
            self._pool.check()  # connections from before an outage would fail one by one
        with self._lock:  # a measurement that began before a query failed says nothing about the time after
            self._fresh_at = reached[-1] if reached and reached[-1] > self._failed_at else NEVER
        self._note_use(self.is_fresh, "it is too far behind")

    def _position_of_primary(self) -> tuple[float, int]:
        sampled_at = time.monotonic()
        with self._primary.read() as tx:
            # A replica can have only what is flushed; commits are flushed before anyone sees them.
            return sampled_at, tx.fetch_value(PRIMARY_IS_AT)

    def _replayed(self) -> int:
        assert self._pool is not None
        with self._pool.connection() as connection:
            if not connection.fetch_value("SELECT pg_is_in_recovery()"):
                raise NotUsable("it is no replica, or was promoted")
            return int(connection.fetch_value(REPLICA_IS_AT))

    def _give_up(self, why: str) -> None:
        with self._lock:
            self._failed_at, self._fresh_at = time.monotonic(), NEVER
        self._note_use(False, why)

    def _note_use(self, is_used: bool, why: str) -> None:
        """Log whether the replica is used: one line per change, not one a second."""
        with self._lock:
            changed, self._is_used = is_used != self._is_used, is_used
        if changed and is_used:
            logger.info("reports read from the replica")
        elif changed:
            logger.warning("reports read from the primary", reason=why)


def _reaches(replica_tx: Tx, wanted: int) -> bool:
    until = time.monotonic() + CATCH_UP_S
    while replica_tx.fetch_value(REPLICA_IS_AT) < wanted:
        if time.monotonic() > until:
            return False
        time.sleep(0.01)  # between two looks
    return True
