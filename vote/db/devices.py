"""Known devices: browsers in which a person has logged in. Only hashes of their tokens are stored."""

from typing import NamedTuple

from vote.db.pool import Tx

KEEP_DAYS = 180  # without a login there
MOST = 20  # per account; the least recently used is deleted


def is_known(tx: Tx, token_hash: bytes) -> bool:
    """Return whether someone has logged in on this device; the hash covers device and account together."""
    return tx.execute("SELECT FROM devices WHERE token_hash = %s", (token_hash,)).fetchone() is not None


def remember(tx: Tx, user_id: int, *, token_hash: bytes, device: str, session: str) -> None:
    """Note a login; a device seen before keeps its row."""
    tx.execute(
        """
        INSERT INTO devices AS d (user_id, token_hash, device, session) VALUES (%s, %s, %s, %s)
        ON CONFLICT (token_hash) DO UPDATE
        SET device = excluded.device, session = excluded.session, last_used_at = now()
        """,
        (user_id, token_hash, device, session),
    )
    tx.execute(
        """
        DELETE FROM devices WHERE id IN (
            SELECT id FROM devices WHERE user_id = %s ORDER BY last_used_at DESC, id DESC OFFSET %s)
        """,
        (user_id, MOST),
    )


def of_person(tx: Tx, user_id: int) -> list[NamedTuple]:
    """Return a person's devices, the last used first; `session` is the sid of the login there."""
    query = """
        SELECT id, device, session, first_used_at, last_used_at FROM devices
        WHERE user_id = %s ORDER BY last_used_at DESC, id DESC
    """
    return tx.fetch_rows(query, (user_id,))


def delete(tx: Tx, user_id: int, device_id: int) -> str | None:
    """Delete a device of a person. Returns the sid of the login there; None when there is no such device."""
    row = tx.execute(
        "DELETE FROM devices WHERE user_id = %s AND id = %s RETURNING session", (user_id, device_id)
    ).fetchone()
    return None if row is None else str(row[0])


def forget_others(tx: Tx, user_id: int, *, but: bytes | None) -> None:
    """Delete all devices of a person except the one with this hash."""
    tx.execute(
        "DELETE FROM devices WHERE user_id = %(user)s AND token_hash IS DISTINCT FROM %(but)s::bytea",
        {"user": user_id, "but": but},
    )


def forget_unused(tx: Tx) -> int:
    """Delete devices unused for KEEP_DAYS. Returns how many."""
    return tx.execute(
        "DELETE FROM devices WHERE last_used_at < now() - make_interval(days => %s)", (KEEP_DAYS,)
    ).rowcount
