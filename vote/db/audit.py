"""Reads the audit log. Triggers write it; nobody may change it."""

from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from vote.db.paging import NEWEST, Page, cut
from vote.db.pool import Tx


class AuditEntry(NamedTuple):
    """A change. `actor` is as stored: `user:<id>`, or the name of a part, a command or a database role."""

    at: datetime
    actor: str
    username: str | None
    action: str
    subject: str
    subject_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    id: int = 0

    @property
    def person(self) -> int | None:
        """Return the id of the person who made the change; None if it was not a person."""
        kind, colon, number = self.actor.partition(":")
        return int(number) if kind == "user" and colon and number.isdecimal() else None


PAGE_SIZE = 200

# Turns the actor into a number; the reverse would turn the numbers of all people into actors.
_ROWS: LiteralString = """
    SELECT a.at, a.actor, u.username, a.action, a.subject, a.subject_id, a.before, a.after, a.id
    FROM audit_log a
    LEFT JOIN users u ON u.id = CASE WHEN a.actor ~ '^user:[0-9]{1,16}$' THEN substr(a.actor, 6)::bigint END
"""


def of_competition(tx: Tx, competition_id: int, *, after: int | None = None) -> Page[AuditEntry]:
    """Return a page of a competition's history, options and decisions included; newest first."""
    rows = tx.execute(
        f"""
        {_ROWS}
        WHERE a.id < %(after)s::bigint AND (
              (a.subject = 'competitions' AND a.subject_id = %(id)s::text)
           OR (a.subject = 'options' AND a.subject_id = ANY(ARRAY(
                   SELECT %(id)s::text || '/' || chr(97 + n) FROM generate_series(0, 25) n)))
           OR (a.subject = 'decisions' AND a.subject_id = ANY(ARRAY(
                   SELECT d.id::text FROM decisions d WHERE d.competition_id = %(id)s)))
           OR (a.subject = 'reinstatements' AND a.subject_id = ANY(ARRAY(
                   SELECT r.id::text FROM reinstatements r WHERE r.competition_id = %(id)s))))
        ORDER BY a.id DESC LIMIT %(limit)s
        """,  # noqa: S608  # nosec B608: both parts are literals
        {"id": competition_id, "after": after or NEWEST, "limit": PAGE_SIZE + 1},
    )
    return cut([AuditEntry(*row) for row in rows], PAGE_SIZE)


def of_person(tx: Tx, user_id: int, *, after: int | None = None) -> Page[AuditEntry]:
    """Return a page of an account's history, newest first."""
    rows = tx.execute(
        f"""
        {_ROWS}
        WHERE a.subject IN ('users', 'login_locks') AND a.subject_id = %s::text AND a.id < %s::bigint
        ORDER BY a.id DESC LIMIT %s
        """,
        (user_id, after or NEWEST, PAGE_SIZE + 1),
    )
    return cut([AuditEntry(*row) for row in rows], PAGE_SIZE)
