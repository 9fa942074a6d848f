"""Gives a new competition an id that was never used, not even one that this database has lost."""

from collections.abc import Callable

from vote.ballotlog.log import BallotLog
from vote.db import incarnations
from vote.db.idempotency_keys import Claim
from vote.db.pool import Database, Tx
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.errors import LogUnavailable


class _NumberKnown(Exception):
    """The ballot log already knows the id drawn for the new competition."""


def insert_numbered(
    db: Database, log: BallotLog, by: Person, insert: Callable[[Tx], Competition], *, once: Claim | None
) -> Competition:
    """Insert under an id that the ballot log does not know yet.

    When the log knows it, the database was put back to an older state without a new timeline, which nothing inside the
    database shows (`incarnations.py`). While the log is away nobody can check, and the database is trusted.
    """
    try:
        with db.transaction(by=by.id, once=once) as tx:
            created = insert(tx)
            if _is_known(log, created.id):
                raise _NumberKnown
    except _NumberKnown:
        with db.transaction(by=by.id, once=once) as tx:
            incarnations.begin(tx)
            created = insert(tx)
    return created


def _is_known(log: BallotLog, competition_id: int) -> bool:
    try:
        return log.knows(competition_id)
    except LogUnavailable:
        return False
