"""What is kept about one person beside account and votes, for their own export. Nothing here writes."""

from datetime import date, datetime
from typing import Any, NamedTuple

from vote.db.pool import Tx


class JournalledBallot(NamedTuple):
    """A ballot of the journal: one for each time the person voted or changed the vote."""

    competition: int
    choice: str
    cast_at: datetime
    recorded_at: datetime
    receipt: str


class OrganisedRow(NamedTuple):
    """A competition the person runs."""

    id: int
    name: str
    created_at: datetime


class AuditedChange(NamedTuple):
    """A line of the audit log about the person, or about what they did."""

    at: datetime
    actor: str
    action: str
    subject: str
    subject_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def ballots_of(tx: Tx, person: int, receipts: list[str]) -> list[JournalledBallot]:
    """Every ballot of the person in the journal, oldest first.

    Found by the receipts of their votes, one per competition (R1): an index by voter would cost every ballot recorded.
    """
    rows = tx.execute(
        """
        SELECT competition_id, choice, cast_at, recorded_at, receipt FROM ballots
        WHERE receipt = ANY(%s) AND user_id = %s ORDER BY cast_at
        """,
        (receipts, person),
    )
    return [JournalledBallot(*row) for row in rows]


def last_login_of(tx: Tx, person: int) -> date | None:
    """The day of the last login."""
    row = tx.execute("SELECT day FROM last_logins WHERE user_id = %s", (person,)).fetchone()
    return row[0] if row else None


def competitions_of(tx: Tx, person: int) -> list[OrganisedRow]:
    """Every competition the person made, oldest first."""
    rows = tx.execute("SELECT id, name, created_at FROM competitions WHERE organiser_id = %s ORDER BY id", (person,))
    return [OrganisedRow(*row) for row in rows]


def audit_of(tx: Tx, person: int) -> list[AuditedChange]:
    """Audit lines that name the person, as the one who acts or as the one it was done to, oldest first."""
    rows = tx.execute(
        """
        SELECT at, actor, action, subject, subject_id, before, after FROM audit_log
        WHERE (subject = 'users' AND subject_id = %(id)s::text) OR actor = 'user:' || %(id)s::text ORDER BY id
        """,
        {"id": person},
    )
    return [AuditedChange(*row) for row in rows]
