"""Addresses whose owner left them while voting was open: keyed hashes, so that one mailbox has one vote in a competition.

The database writes them (trigger leave_address) and deletes them when the competition closes (forget_left_addresses).
"""

from typing import NamedTuple

from vote.db.pool import Tx


class Left(NamedTuple):
    """A person who left an address while people could vote; it is not known yet whether they had voted."""

    id: int
    competition: int
    voter: int


def is_of(tx: Tx, user_id: int) -> bool:
    """Return whether someone left this account's address in any open competition."""
    row = tx.execute(
        """
        SELECT FROM users u, (SELECT DISTINCT competition_id FROM left_addresses) AS left_in
        JOIN competitions c ON c.id = left_in.competition_id
        WHERE u.id = %s AND EXISTS (
            SELECT FROM left_addresses l
            WHERE l.competition_id = c.id AND l.address_hash = address_hash(c.receipt_key, u.email_key))
        LIMIT 1
        """,
        (user_id,),
    ).fetchone()
    return row is not None


def is_spent(tx: Tx, competition: int, user_id: int) -> bool:
    """Return whether someone else has, or may have, voted here from the address this account has now."""
    row = tx.execute(
        """
        SELECT FROM users u, competitions c JOIN left_addresses l ON l.competition_id = c.id
        WHERE u.id = %(user)s AND c.id = %(competition)s AND l.address_hash = address_hash(c.receipt_key, u.email_key)
          AND l.user_id IS DISTINCT FROM u.id
        LIMIT 1
        """,
        {"user": user_id, "competition": competition},
    ).fetchone()
    return row is not None


def unsettled(tx: Tx, *, after_s: float, limit: int) -> list[Left]:
    """Return the oldest rows not settled yet, left at least `after_s` ago, when no login of theirs could vote any more."""
    rows = tx.execute(
        "SELECT id, competition_id, user_id FROM left_addresses"
        " WHERE user_id IS NOT NULL AND left_at < now() - make_interval(secs => %s) ORDER BY left_at LIMIT %s",
        (after_s, limit),
    )
    return [Left(*row) for row in rows]


def settle(tx: Tx, left_id: int, *, has_voted: bool) -> None:
    """Keep the hash without the voter's id where they had voted; else delete it. A second call changes nothing."""
    if has_voted:
        tx.execute("UPDATE left_addresses SET user_id = NULL WHERE id = %s", (left_id,))
    else:
        tx.execute("DELETE FROM left_addresses WHERE id = %s AND user_id IS NOT NULL", (left_id,))
