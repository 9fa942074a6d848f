"""Locked accounts: after too many wrong passwords in a day, only known devices may try. Shown to admins."""

from datetime import datetime
from typing import LiteralString, NamedTuple

from vote.db.pool import Tx


class LockRow(NamedTuple):
    """A locked account, since when and until when."""

    user_id: int
    username: str
    locked_at: datetime
    expires_at: datetime


_LOCKS: LiteralString = """
    SELECT l.user_id, u.username, l.locked_at, l.expires_at FROM login_locks l JOIN users u ON u.id = l.user_id
    WHERE l.expires_at > now()
"""


def insert(tx: Tx, user_id: int, subject: bytes, source: bytes) -> bool:
    """Lock an account until the count of its attempts expires. Returns False when it was locked already."""
    tx.execute("DELETE FROM login_locks WHERE user_id = %s AND expires_at <= now()", (user_id,))
    row = tx.execute(
        """
        INSERT INTO login_locks (user_id, expires_at)
        SELECT %s, expires_at FROM attempts WHERE subject = %s AND source = %s
        ON CONFLICT (user_id) DO NOTHING RETURNING user_id
        """,
        (user_id, subject, source),
    ).fetchone()
    return row is not None


def delete(tx: Tx, user_id: int) -> bool:
    """Unlock an account. Returns whether it was locked."""
    row = tx.execute(
        "DELETE FROM login_locks WHERE user_id = %s RETURNING expires_at > now()",
        (user_id,),
    ).fetchone()
    return row is not None and bool(row[0])


def find(tx: Tx, user_id: int) -> LockRow | None:
    """Return the lock of one account, if it is locked."""
    row = tx.execute(f"{_LOCKS} AND l.user_id = %s", (user_id,)).fetchone()
    return None if row is None else LockRow(*row)


def listed(tx: Tx, *, limit: int) -> list[LockRow]:
    """Return at most `limit` locked accounts, the newest lock first."""
    return [LockRow(*row) for row in tx.execute(f"{_LOCKS} ORDER BY l.locked_at DESC, l.user_id LIMIT %s", (limit,))]


def count(tx: Tx) -> int:
    """Return how many accounts are locked."""
    row = tx.execute("SELECT count(*) FROM login_locks WHERE expires_at > now()").fetchone()
    assert row is not None
    return int(row[0])


def forget_expired(tx: Tx) -> int:
    """Delete expired locks. Returns how many."""
    return tx.execute("DELETE FROM login_locks WHERE expires_at <= now()").rowcount
