"""Idempotency keys of forms: the first press claims its key in the transaction of its change, the second gets the answer.

The claim is an INSERT under the primary key. A second press that comes while the first is under way waits in that INSERT,
and gets the answer once the first commits; when the first rolls back, its claim is gone too and the second makes the
change itself. Verifying a password takes longer than a transaction may stay open: `hold` claims a key before that, and the
transaction of the change writes the answer.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from psycopg.errors import LockNotAvailable

from vote.db.pool import Database, Tx
from vote.errors import AlreadyAnswered, Unavailable

KEEP_MINUTES = 10
WAIT_S = 4.8  # for the first press: at most 5 s, and less than a statement may take, so that the error names the reason
LOOK_AGAIN_S = 0.05
HOLD_S = 30  # the key of a process that died while it verified a password is free after this
STILL_UNDER_WAY = "Your first request is still being processed. Wait a moment, then reload the page to see the outcome."
ACTOR = "idempotency"


class StoredAnswer(NamedTuple):
    """The first press's answer: the target of its redirect, and the id of the account or competition it concerned."""

    began: datetime
    answered: datetime
    led_to: str
    object_id: int | None


@dataclass(slots=True)
class Claim:
    """Idempotency key of one press of a form, and what is kept of its answer.

    Without a `key_hash` (an API client) it does nothing. `{id}` in `leads_to` stands for `object_id`, which the action
    sets where it is not known before.
    """

    key_hash: bytes | None
    leads_to: str
    began: datetime
    object_id: int | None = None
    is_answered: bool = False
    _is_held: bool = False

    @property
    def address(self) -> str:
        """Return where the answer leads."""
        return self.leads_to.format(id=self.object_id)

    def take(self, tx: Tx) -> None:
        """Claim the key, in the transaction of the change. Raises AlreadyAnswered; Unavailable after WAIT_S."""
        if self.key_hash is None or self._is_held:
            return
        tx.execute("SELECT set_config('lock_timeout', %s, true)", (f"{WAIT_S}s",))
        try:
            is_first = _insert(tx, self)
        except LockNotAvailable:
            raise Unavailable(STILL_UNDER_WAY) from None
        if not is_first:
            raise AlreadyAnswered
        tx.execute("SELECT set_config('lock_timeout', '0', true)")

    def keep(self, tx: Tx) -> None:
        """Write the answer into the claim, so that both commit with the change or not at all."""
        if self.key_hash is None:
            return
        tx.execute(
            "UPDATE idempotency_keys SET answered_at = clock_timestamp(), led_to = %s, object_id = %s WHERE key_hash = %s",
            (self.address, self.object_id, self.key_hash),
        )
        self.is_answered = True

    def note(self, db: Database) -> None:
        """Keep the answer where nothing had to be changed. Raises AlreadyAnswered."""
        if self.key_hash is not None:
            with db.transaction(by=ACTOR, once=self):
                pass

    @contextmanager
    def hold(self, db: Database) -> Iterator[None]:
        """Keep the key while a password is verified: a second press waits, and its attempt is not counted too.

        Without an answer at the end, the key is released. Raises AlreadyAnswered; Unavailable after WAIT_S.
        """
        if self.key_hash is None:
            yield
            return
        until = time.monotonic() + WAIT_S
        while not self._try_hold(db):
            if time.monotonic() > until:
                raise Unavailable(STILL_UNDER_WAY)
            time.sleep(LOOK_AGAIN_S)
        try:
            yield
        except BaseException:
            self.is_answered = False  # also when a commit failed: a press that may have no answer can be sent again
            raise
        finally:
            self._is_held = False
            if not self.is_answered:
                with suppress(Unavailable), db.transaction(by=ACTOR) as tx:
                    tx.execute(
                        "DELETE FROM idempotency_keys WHERE key_hash = %s AND answered_at IS NULL", (self.key_hash,)
                    )

    def _try_hold(self, db: Database) -> bool:
        with db.transaction(by=ACTOR) as tx:
            tx.execute(
                "DELETE FROM idempotency_keys WHERE key_hash = %s AND answered_at IS NULL"
                " AND began_at < now() - make_interval(secs => %s)",
                (self.key_hash, HOLD_S),
            )
            self._is_held = _insert(tx, self)
        if not self._is_held and self.key_hash is not None and find(db, self.key_hash) is not None:
            raise AlreadyAnswered
        return self._is_held


def find(db: Database, key_hash: bytes) -> StoredAnswer | None:
    """Return the answer given under this key; None when there is none, or none yet."""
    with db.read() as tx:
        row = tx.execute(
            "SELECT began_at, answered_at, led_to, object_id FROM idempotency_keys"
            " WHERE key_hash = %s AND answered_at IS NOT NULL AND began_at > now() - make_interval(mins => %s)",
            (key_hash, KEEP_MINUTES),
        ).fetchone()
    return None if row is None else StoredAnswer(row[0].astimezone(UTC), *row[1:])


def forget(db: Database, key_hash: bytes) -> None:
    """Delete a key, so that it can be claimed again."""
    with db.transaction(by=ACTOR) as tx:
        tx.execute("DELETE FROM idempotency_keys WHERE key_hash = %s", (key_hash,))


def forget_expired(tx: Tx) -> int:
    """Delete keys older than KEEP_MINUTES. Returns how many."""
    return tx.execute(
        "DELETE FROM idempotency_keys WHERE began_at < now() - make_interval(mins => %s)", (KEEP_MINUTES,)
    ).rowcount


def _insert(tx: Tx, claim: Claim) -> bool:
    """Claim the key; an expired one counts as free. Returns False when someone has it."""
    row = tx.execute(
        """
        INSERT INTO idempotency_keys AS k (key_hash, began_at) VALUES (%(key)s, %(began)s)
        ON CONFLICT (key_hash) DO UPDATE
        SET began_at = excluded.began_at, answered_at = NULL, led_to = NULL, object_id = NULL
        WHERE k.began_at < now() - make_interval(mins => %(keep)s)
        RETURNING 1
        """,
        {"key": claim.key_hash, "began": claim.began, "keep": KEEP_MINUTES},
    ).fetchone()
    return row is not None
