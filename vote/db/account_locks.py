"""Locked accounts: after too many wrong passwords in a day, only known devices may try. Shown to admins."""

from typing import NamedTuple

from vote.db.pool import Tx


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
    return bool(tx.fetch_value("DELETE FROM login_locks WHERE user_id = %s RETURNING expires_at > now()", (user_id,)))


def listed(tx: Tx, *, limit: int) -> list[NamedTuple]:
    """Return at most `limit` locked accounts, the newest lock first: user_id, username, locked_at, expires_at."""
    query = """
        SELECT l.user_id, u.username, l.locked_at, l.expires_at FROM login_locks l JOIN users u ON u.id = l.user_id
        WHERE l.expires_at > now() ORDER BY l.locked_at DESC, l.user_id LIMIT %s
    """
    return tx.fetch_rows(query, (limit,))


def count(tx: Tx) -> int:
    """Return how many accounts are locked."""
    return int(tx.fetch_value("SELECT count(*) FROM login_locks WHERE expires_at > now()"))


def forget_expired(tx: Tx) -> int:
    """Delete expired locks. Returns how many."""
    return tx.execute("DELETE FROM login_locks WHERE expires_at <= now()").rowcount
