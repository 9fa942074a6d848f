"""A connection for a single reader, outside the pool: it waits neither for a free connection nor on a dead one."""

from collections.abc import Callable
from typing import TypeVar

import psycopg

from vote.config import DatabaseTarget
from vote.db.pool import POOLER_WITHIN_S, STATEMENT_TIMEOUT_MS, Tx, connection_options, set_role
from vote.errors import DatabaseUnavailable

KNOWN_WITHIN_S = 1.0  # for an answer on a connection that has answered before: it may be dead by now
FRESH_WITHIN_S = 3.0  # for an answer on a new one: the server is there, and may be slow

T = TypeVar("T")


class DedicatedConnection:
    """A connection to `target` of its own, opened for the first query and again after each failure. Not thread-safe."""

    def __init__(self, target: DatabaseTarget, *, name: str) -> None:
        self._target, self._name = target, name
        self._connection: Tx | None = None

    def ask(self, question: Callable[[Tx], T]) -> T:
        """Return the answer of `question`. After a failure on an old connection, ask once more on a new one.

        Raises DatabaseUnavailable after KNOWN_WITHIN_S + CONNECT_TIMEOUT_S + FRESH_WITHIN_S at the latest, for a question
        of one statement; through a pooler both are POOLER_WITHIN_S. Questions only read: they may be asked twice.
        """
        if self._connection is not None:
            try:
                within_s = POOLER_WITHIN_S if self._target.pooled else KNOWN_WITHIN_S
                return self._ask(self._connection, question, within_s)
            except DatabaseUnavailable:
                pass  # an outage, or only this connection: a new one will show
        try:
            self._connection = self._connect()
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable from error
        return self._ask(self._connection, question, POOLER_WITHIN_S if self._target.pooled else FRESH_WITHIN_S)

    def close(self) -> None:
        """Disconnect. A second call does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, connection: Tx, question: Callable[[Tx], T], within_s: float) -> T:
        connection.timeout_s = within_s
        try:
            return question(connection)
        except psycopg.OperationalError as error:
            self.close()
            raise DatabaseUnavailable from error

    def _connect(self) -> Tx:
        connection = Tx.connect(self._target.url, **connection_options(self._target, self._name))
        connection.timeout_s = FRESH_WITHIN_S
        try:
            set_role(connection, self._target)
            if not self._target.pooled:
                connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
        except BaseException:
            connection.close()
            raise
        return connection
