"""Reads votes and receipts. Nothing here writes."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from vote.db.competitions import CORRECTIONS, corrections_from
from vote.db.pool import Tx
from vote.domain.competition import Correction

CHUNK = 5_000


class VoteRecord(NamedTuple):
    """A person's own vote, as they may see it."""

    competition: int
    name: str
    choice: str
    created_at: datetime
    changed_at: datetime | None
    receipt_key: bytes
    choice_label: str
    is_archived: bool
    corrections: tuple[Correction, ...]


def choice_of(tx: Tx, competition: int, voter: int) -> str | None:
    """Return the recorded choice of a voter, if there is one."""
    row = tx.execute(
        "SELECT choice FROM votes WHERE competition_id = %s AND user_id = %s", (competition, voter)
    ).fetchone()
    return None if row is None else str(row[0])


def of_person(tx: Tx, voter: int) -> list[VoteRecord]:
    """Return all votes of one person, newest first."""
    rows = tx.execute(
        f"""
        SELECT v.competition_id, c.name, v.choice, v.created_at, v.changed_at, c.receipt_key, o.label,
               c.status = 'archived', {CORRECTIONS}
        FROM votes v
        JOIN competitions c ON c.id = v.competition_id
        JOIN options o ON o.competition_id = v.competition_id AND o.key = v.choice
        WHERE v.user_id = %s ORDER BY v.created_at DESC
        """,  # noqa: S608  # nosec B608: a literal
        (voter,),
    )
    return [VoteRecord._make((*columns, corrections_from(corrected))) for *columns, corrected in rows]


def is_recorded(tx: Tx, receipt: str) -> bool:
    """Return whether the journal holds a ballot with this receipt."""
    return tx.execute("SELECT 1 FROM ballots WHERE receipt = %s LIMIT 1", (receipt,)).fetchone() is not None


def all_choices(tx: Tx, competition: int) -> Iterator[dict[int, str]]:
    """Yield every voter's choice in a competition, in chunks, by voter, for a shard of a new epoch (R5)."""
    after = 0
    while True:
        rows = tx.execute(
            "SELECT user_id, choice FROM votes WHERE competition_id = %s AND user_id > %s ORDER BY user_id LIMIT %s",
            (competition, after, CHUNK),
        ).fetchall()
        if not rows:
            return
        after = rows[-1][0]
        yield {row[0]: row[1] for row in rows}
