"""A connection for a single reader, outside the pool: it must wait neither for a free connection nor on a dead one."""

from collections.abc import Callable
from typing import TypeVar

import psycopg
from psycopg import sql

from vote import tcp_keepalive
from vote.config import DatabaseTarget
from vote.db.pool import CONNECT_TIMEOUT_S, POOLER_WITHIN_S, STATEMENT_TIMEOUT_MS, Tx
from vote.errors import DatabaseUnavailable

KNOWN_WITHIN_S = 1.0  # for an answer on a connection that has answered before: it may be dead by now
FRESH_WITHIN_S = 3.0  # for an answer on a new one: the server is there, and may be slow

T = TypeVar("T")


class DedicatedConnection:
    """One connection to `target`, made for the first query and again after each failure. Not safe in threads."""

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
        connection = Tx.connect(
            self._target.url,
            autocommit=True,
            application_name=self._name,
            connect_timeout=CONNECT_TIMEOUT_S,
            prepare_threshold=None,
            **tcp_keepalive.for_postgres(self._target.url),
        )
        connection.timeout_s = FRESH_WITHIN_S
        try:
            if self._target.set_role:
                connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(self._target.set_role)))
            if not self._target.pooled:
                connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
        except BaseException:
            connection.close()
            raise
        return connection
