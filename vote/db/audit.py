"""Reads the audit log. Triggers write it; nobody may change it."""

from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from vote.db.pool import Tx


class AuditEntry(NamedTuple):
    """One change. `actor` is as written: `user:<id>`, or the name of a part, a command or a database role.

    `username` is the person's present name, None when they are erased or the actor is no person. It does not tell the two
    kinds of actor apart, for somebody may be named like a part; `person` does.
    """

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
        """Return the id of the person who made the change; None where it was no person."""
        kind, colon, number = self.actor.partition(":")
        return int(number) if kind == "user" and colon and number.isdecimal() else None


class AuditPage(NamedTuple):
    """Changes, newest first (keyset pagination). `next` is the `after` of the next page; None on the last."""

    rows: list[AuditEntry]
    next: int | None


PAGE_SIZE = 200
NEWEST = 2**62  # above every id

# Turns the actor into a number; the reverse would turn the numbers of all people into actors.
_ROWS: LiteralString = """
    SELECT a.at, a.actor, u.username, a.action, a.subject, a.subject_id, a.before, a.after, a.id
    FROM audit_log a
    LEFT JOIN users u ON u.id = CASE WHEN a.actor ~ '^user:[0-9]{1,16}$' THEN substr(a.actor, 6)::bigint END
"""


def of_competition(tx: Tx, competition_id: int, *, after: int | None = None) -> AuditPage:
    """Return a page of what was done to a competition and its options, and what was decided about its tally."""
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
    return _page([AuditEntry(*row) for row in rows])


def of_person(tx: Tx, user_id: int, *, after: int | None = None) -> AuditPage:
    """Return a page of what was done to an account."""
    rows = tx.execute(
        f"""
        {_ROWS}
        WHERE a.subject IN ('users', 'login_locks') AND a.subject_id = %s::text AND a.id < %s::bigint
        ORDER BY a.id DESC LIMIT %s
        """,
        (user_id, after or NEWEST, PAGE_SIZE + 1),
    )
    return _page([AuditEntry(*row) for row in rows])


def _page(rows: list[AuditEntry]) -> AuditPage:
    return AuditPage(rows[:PAGE_SIZE], rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None)
