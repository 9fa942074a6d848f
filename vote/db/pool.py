"""Connections to PostgreSQL: a bounded pool for one part of the system, and the two ways to use it.

`read()` gives a connection that commits each statement by itself; `transaction(by=…)` gives one transaction whose actor the
audit triggers write down. Both turn a lost or slow database into DatabaseUnavailable, and a pool whose connections are all
in use into DatabaseBusy. Metrics show connections open and in use, requests waiting and refused.

Every wait has a deadline of our own (`Tx.timeout_s`): no setting of the server ends the wait for a frozen server, or for one
behind a firewall that has forgotten the connection.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, LiteralString, NamedTuple, Protocol, TypeVar

import psycopg
from prometheus_client import Histogram
from psycopg import Connection, OperationalError, sql
from psycopg.abc import Params, PQGen
from psycopg.errors import IdleInTransactionSessionTimeout
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from vote import tcp_keepalive
from vote.circuit_breaker import CircuitBreaker
from vote.config import DatabaseTarget
from vote.db.statement_log import STATEMENTS
from vote.domain.person import actor_of
from vote.errors import DatabaseBusy, DatabaseUnavailable
from vote.metrics import stores as metrics

R = TypeVar("R")

WAIT_FOR_CONNECTION_S = 2.0  # of commands and workers; the web's is VOTE_DB_WAIT_S
CONNECT_TIMEOUT_S = 2  # libpq: whole seconds, at least 2
STATEMENT_TIMEOUT_MS = 5_000  # nothing a person waits for takes longer
IDLE_IN_TRANSACTION_MS = 3_000  # a frozen process lets go of its row locks within this (R4)
# A process that was frozen for so long gets the second error when it wakes; to psycopg it is no OperationalError.
LOST = (OperationalError, IdleInTransactionSessionTimeout)
TIMEOUT_S = 5.5  # the client's own limit, for a silent server: after the server's limit
CHECK_WITHIN_S = 1.0  # for the answer that shows that a connection is alive
# The same through a pooler, which takes 2 s to report that every connection to the server is in use.
POOLER_WITHIN_S = 4.0
RENEW_EVERY_S = 5.0  # how often a dead connection has all others renewed


class Tx(Connection[tuple[Any, ...]]):
    """A connection with a deadline for every answer, and what the current transaction has changed.

    `changed` holds the competitions that this transaction has changed so far; `seconds` takes the time of each exchange with
    the server, a statement or a commit; `timeout_s` is the longest one may take (None: no limit), and a connection without
    an answer by then `went_silent`.
    """

    changed: frozenset[int] = frozenset()
    seconds: Histogram | None = None
    timeout_s: float | None = TIMEOUT_S
    went_silent = False

    def wait(self, gen: PQGen[R], interval: float = 0.1, timeout: float | None = None) -> R:
        """Wait for an answer as psycopg does, measured, and close a connection that gives none in time."""
        began = time.perf_counter()
        try:
            return self._wait(gen, interval, timeout)
        finally:
            seconds = time.perf_counter() - began
            if self.seconds is not None:
                self.seconds.observe(seconds)
            STATEMENTS.note(seconds, gen)

    def fetch_value(self, query: LiteralString, parameters: Params | None = None) -> Any:
        """Return the first column of the first row; None when there is no row."""
        row = self.execute(query, parameters).fetchone()
        return None if row is None else row[0]

    def fetch_rows(self, query: LiteralString, parameters: Params | None = None) -> list[NamedTuple]:
        """Return all rows with their columns as fields, for templates and models, which read fields by name."""
        return self.cursor(row_factory=namedtuple_row).execute(query, parameters).fetchall()

    def _wait(self, gen: PQGen[R], interval: float, timeout: float | None) -> R:
        try:
            return super().wait(gen, interval, self.timeout_s if timeout is None else timeout)
        except OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # the answer may still come: it must not be taken for a later statement's
                self.went_silent = True
            raise


def connection_options(target: DatabaseTarget, name: str) -> dict[str, Any]:
    """Return what every connection for people's requests is made with; `name` is what the server calls it."""
    return {
        "autocommit": True,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "application_name": name,
        **tcp_keepalive.for_postgres(target.url),
        # PgBouncer in transaction mode gives each transaction another server connection.
        "prepare_threshold": None,
    }


def set_role(connection: Tx, target: DatabaseTarget) -> None:
    """Take the role of a part that has no URL of its own."""
    if target.set_role:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(target.set_role)))


class Once(Protocol):
    """Makes a transaction happen once (`idempotency_keys.py`): `take` comes first in it, `keep` last."""

    def take(self, tx: Tx) -> None:
        """Raise AlreadyAnswered when it happened before."""

    def keep(self, tx: Tx) -> None:
        """Note, with the change itself, that it happened."""


OnChange = Callable[[Iterable[int]], None]


class Database:
    """A pool of at most `size` connections to `target`, behind a circuit breaker. The first use connects.

    A caller that finds none free waits `wait_s` for one, then gets DatabaseBusy. After each commit `on_change` is called
    with the competitions that changed, for those who keep copies.
    """

    def __init__(
        self,
        target: DatabaseTarget,
        *,
        size: int,
        name: str,
        wait_s: float = WAIT_FOR_CONNECTION_S,
        on_change: OnChange | None = None,
    ) -> None:
        self._target, self._name = target, name
        self._on_change = on_change
        self._breaker = CircuitBreaker()
        self._renew_at, self._silent = 0.0, 0
        self._in_use, self._waiting = metrics.DATABASE_IN_USE.labels(name), metrics.DATABASE_WAITING.labels(name)
        self._seconds = metrics.DATABASE_SECONDS.labels(name)
        metrics.DATABASE_SIZE.labels(name).set(size)
        for why in ("exhausted", "slow", "away"):
            # From the start: nobody can alert on a metric that is not there.
            metrics.DATABASE_REFUSED.labels(name, why)
        self._pool: ConnectionPool[Tx] = ConnectionPool(
            target.url,
            connection_class=Tx,
            min_size=1,
            max_size=size,
            max_waiting=size * 20,  # more would wait too long in any case
            timeout=wait_s,
            reconnect_timeout=0,  # one try per request, so that the pool is back the moment the server is
            open=False,
            check=self._check,
            configure=self._configure,
            name=name,
            kwargs=connection_options(target, name),
        )

    def _configure(self, connection: Tx) -> None:
        if self._target.pooled:
            return  # a SET would stay for the next client of the pooler's connection; the pooler sets these itself
        set_role(connection, self._target)
        connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")

    def _check(self, connection: Tx) -> None:
        """Refuse a connection that does not answer at once."""
        connection.timeout_s = POOLER_WITHIN_S if self._target.pooled else CHECK_WITHIN_S
        try:
            ConnectionPool.check_connection(connection)
        finally:
            connection.timeout_s = TIMEOUT_S
            self._doubt_others(connection)

    def _doubt_others(self, connection: Tx) -> None:
        """Renew all connections when one is dead: those of its age are too, and callers must not wait for each in turn."""
        if connection.went_silent:
            self._silent += 1
            if time.monotonic() >= self._renew_at:
                self._renew_at = time.monotonic() + RENEW_EVERY_S
                self._pool.drain()

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """Yield a connection in autocommit, for single statements that only read."""
        with self._connection() as connection:
            yield connection

    @contextmanager
    def transaction(self, *, by: int | str, once: Once | None = None) -> Iterator[Tx]:
        """Yield one transaction, committed at the end and rolled back on any error. `by`: an account's id, or a part's name.

        With `once` it happens once: raises AlreadyAnswered, before anything is done, when it did already.
        """
        actor = actor_of(by)
        changed: frozenset[int] = frozenset()
        try:
            with self._connection() as connection:
                connection.changed = changed
                try:
                    with connection.transaction():
                        _begin(connection, actor)
                        with done_once(connection, once):
                            yield connection
                finally:
                    changed = connection.changed
        finally:  # also after an error: a commit whose answer was lost may have happened
            if changed and self._on_change is not None:
                self._on_change(changed)

    @contextmanager
    def _connection(self) -> Iterator[Tx]:
        if not self._breaker.allows_call():
            self._count("away")
            raise DatabaseUnavailable
        try:
            with ExitStack() as held:
                connection = self._take(held)
                self._breaker.succeeded()
                held.callback(self._doubt_others, connection)
                with self._in_use.track_inprogress(), _timed(connection, self._seconds):
                    yield connection
        except LOST as error:
            raise self._refusal(error) from error

    def _take(self, held: ExitStack) -> Tx:
        if self._pool.closed:
            self._pool.open()
        failures = self._failures()
        try:
            with self._waiting.track_inprogress():
                return held.enter_context(self._pool.connection())
        except PoolTimeout as error:
            if self._failures() == failures:
                raise
            self._breaker.failed()
            raise OperationalError("no connection could be made") from error

    def _failures(self) -> int:
        """Return how many connections could not be made, or were dead, until now."""
        return self._pool.get_stats().get("connections_errors", 0) + self._silent

    def _refusal(self, error: psycopg.Error) -> DatabaseUnavailable:
        """Count the refusal and return the error for the caller."""
        # A pooler gives this error after a wait for a connection to the server (docs/adr/0027).
        if isinstance(error, PoolTimeout | TooManyRequests) or "query_wait_timeout" in str(error):
            self._count("exhausted")
            return DatabaseBusy()
        answered = error.sqlstate is not None and not error.sqlstate.startswith(("08", "57P"))
        self._count("slow" if answered else "away")
        return DatabaseUnavailable()

    def _count(self, why: str) -> None:
        metrics.DATABASE_REFUSED.labels(self._name, why).inc()

    def close(self) -> None:
        """Close every connection. A second call does nothing."""
        self._pool.close()


@contextmanager
def _timed(connection: Tx, seconds: Histogram) -> Iterator[None]:
    """Time statements of the caller only, not what the pool does with the connection before and after."""
    connection.seconds = seconds
    try:
        yield
    finally:
        connection.seconds = None


def _begin(connection: Tx, actor: str) -> None:
    connection.execute(
        "SELECT set_config('vote.actor', %s, true), set_config('synchronous_commit', 'on', true),"
        " set_config('idle_in_transaction_session_timeout', %s, true)",
        (actor, str(IDLE_IN_TRANSACTION_MS)),
    )


@contextmanager
def done_once(tx: Tx, once: Once | None) -> Iterator[None]:
    """Make the change inside happen once, in a transaction that does not always make it. Raises AlreadyAnswered."""
    if once is not None:
        once.take(tx)
    yield
    if once is not None:
        once.keep(tx)
