"""What is stored about one person beside account and votes, for their own export. Nothing here writes."""

from datetime import date, datetime
from typing import Any, NamedTuple

from vote.db.pool import Tx


class JournalledBallot(NamedTuple):
    """A ballot of the journal: one per time the person voted or changed the vote."""

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
    """An audit log line about the person, or about what they did."""

    at: datetime
    actor: str
    action: str
    subject: str
    subject_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def ballots_of(tx: Tx, person: int, receipts: list[str]) -> list[JournalledBallot]:
    """Return every ballot of the person in the journal, oldest first.

    Looked up by the receipts of their votes, one per competition (R1): an index by voter would cost every ballot recorded.
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
    """Return the day of the last login, if there was one."""
    row = tx.execute("SELECT day FROM last_logins WHERE user_id = %s", (person,)).fetchone()
    return row[0] if row else None


def competitions_of(tx: Tx, person: int) -> list[OrganisedRow]:
    """Return every competition the person made, oldest first."""
    rows = tx.execute("SELECT id, name, created_at FROM competitions WHERE organiser_id = %s ORDER BY id", (person,))
    return [OrganisedRow(*row) for row in rows]


def audit_of(tx: Tx, person: int) -> list[AuditedChange]:
    """Return audit lines that name the person as actor or as subject, oldest first."""
    rows = tx.execute(
        """
        SELECT at, actor, action, subject, subject_id, before, after FROM audit_log
        WHERE (subject = 'users' AND subject_id = %(id)s::text) OR actor = 'user:' || %(id)s::text ORDER BY id
        """,
        {"id": person},
    )
    return [AuditedChange(*row) for row in rows]
