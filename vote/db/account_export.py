"""Queries for a person's export beyond account and votes. Read-only."""

from datetime import date
from typing import NamedTuple

from vote.db.pool import Tx


def ballots_of(tx: Tx, person: int, receipts: list[str]) -> list[NamedTuple]:
    """Return every ballot of the person in the journal, oldest first: one per time they voted or changed the vote.

    Looked up by the receipts of their votes, one per competition (R1): an index by voter would cost every ballot recorded.
    """
    query = """
        SELECT competition_id AS competition, choice, cast_at, recorded_at, receipt FROM ballots
        WHERE receipt = ANY(%s) AND user_id = %s ORDER BY cast_at
    """
    return tx.fetch_rows(query, (receipts, person))


def last_login_of(tx: Tx, person: int) -> date | None:
    """Return the day of the last login, if there was one."""
    row = tx.execute("SELECT day FROM last_logins WHERE user_id = %s", (person,)).fetchone()
    return row[0] if row else None


def competitions_of(tx: Tx, person: int) -> list[NamedTuple]:
    """Return every competition the person made, oldest first."""
    query = "SELECT id, name, created_at FROM competitions WHERE organiser_id = %s ORDER BY id"
    return tx.fetch_rows(query, (person,))


def audit_of(tx: Tx, person: int) -> list[NamedTuple]:
    """Return audit lines that name the person as actor or as subject, oldest first."""
    query = """
        SELECT at, actor, action, subject, subject_id, before, after FROM audit_log
        WHERE (subject = 'users' AND subject_id = %(id)s::text) OR actor = 'user:' || %(id)s::text ORDER BY id
    """
    return tx.fetch_rows(query, {"id": person})
