"""Connections to PostgreSQL: a bounded pool for one part of the system, and the two ways to use it.

`read()` gives a connection that commits each statement by itself, `transaction(by=…)` one transaction that tells the
audit triggers who acts. Both turn a lost, slow or exhausted database into DatabaseUnavailable.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, OperationalError, sql
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from vote.config import DatabaseTarget
from vote.db.breaker import Breaker
from vote.errors import DatabaseUnavailable


class Tx(Connection[tuple[Any, ...]]):
    """A connection. `changed` holds the competitions that this transaction has changed so far."""

    changed: frozenset[int] = frozenset()


WhenChanged = Callable[[Iterable[int]], None]

WAIT_FOR_CONNECTION_S = 2.0  # the longest a request waits for its turn; then 503, never a hang
CONNECT_TIMEOUT_S = 2  # libpq: whole seconds, at least 2
STATEMENT_TIMEOUT_MS = 5_000  # nothing a person waits for takes longer
IDLE_IN_TRANSACTION_MS = 3_000  # a frozen process lets go of its row locks within this (R4)


class Database:
    """A pool of at most `size` connections to `target`. Opening it does no work; the first use connects.

    `when_changed` is told after each commit which competitions are not what they were, for those who keep copies.
    """

    def __init__(
        self, target: DatabaseTarget, *, size: int, name: str, when_changed: WhenChanged | None = None
    ) -> None:
        self._set_role = target.set_role
        self._when_changed = when_changed
        self._breaker = Breaker()
        self._failures = 0
        self._pool: ConnectionPool[Tx] = ConnectionPool(
            target.url,
            connection_class=Tx,
            min_size=1,
            max_size=size,
            max_waiting=size * 20,  # more would wait longer than WAIT_FOR_CONNECTION_S in any case
            timeout=WAIT_FOR_CONNECTION_S,
            reconnect_timeout=0,  # one try each time somebody asks, so that it is back the moment the server is
            open=False,
            check=ConnectionPool.check_connection,
            configure=self._configure,
            name=name,
            kwargs={
                "autocommit": True,
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": name,
                # PgBouncer in transaction mode hands each transaction another server connection.
                "prepare_threshold": None,
            },
        )

    def _configure(self, connection: Tx) -> None:
        if self._set_role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(self._set_role)))
        connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A connection in autocommit: for single statements that only read."""
        with self._connection() as connection:
            yield connection

    @contextmanager
    def transaction(self, *, by: int | str) -> Iterator[Tx]:
        """One transaction, committed at the end and rolled back on any error. `by`: a user id or the name of a part."""
        actor = f"user:{by}" if isinstance(by, int) else by
        changed: frozenset[int] = frozenset()
        try:
            with self._connection() as connection:
                connection.changed = changed
                try:
                    with connection.transaction():
                        _begin(connection, actor)
                        yield connection
                finally:
                    changed = connection.changed
        finally:  # also after an error: a commit whose answer was lost may have happened
            if changed and self._when_changed is not None:
                self._when_changed(changed)

    @contextmanager
    def _connection(self) -> Iterator[Tx]:
        if not self._breaker.may_try():
            raise DatabaseUnavailable
        try:
            if self._pool.closed:
                self._pool.open()
            with self._pool.connection() as connection:
                self._breaker.succeeded()
                yield connection
        except PoolTimeout as error:
            if self._could_not_connect():
                self._breaker.failed()
            raise DatabaseUnavailable from error
        except (OperationalError, TooManyRequests) as error:
            raise DatabaseUnavailable from error

    def _could_not_connect(self) -> bool:
        """Whether the wait was for a server that is away, not for a connection that others use."""
        before, self._failures = self._failures, self._pool.get_stats().get("connections_errors", 0)
        return self._failures > before

    def stats(self) -> dict[str, int]:
        """Size, use and waiting of the pool, as psycopg_pool names them."""
        return self._pool.get_stats()

    def close(self) -> None:
        """Close every connection. A second call does nothing."""
        self._pool.close()


def _begin(connection: Tx, actor: str) -> None:
    connection.execute(
        "SELECT set_config('vote.actor', %s, true), set_config('synchronous_commit', 'on', true),"
        " set_config('idle_in_transaction_session_timeout', %s, true)",
        (actor, str(IDLE_IN_TRANSACTION_MS)),
    )
