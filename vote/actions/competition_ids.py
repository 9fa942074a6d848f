"""Gives a new competition a number that no other one has had, not even one that this database has forgotten."""

from collections.abc import Callable

from vote.ballotlog.log import BallotLog
from vote.db import incarnations
from vote.db.idempotency_keys import Claim
from vote.db.pool import Database, Tx
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.errors import LogUnavailable


class _NumberKnown(Exception):
    """The ballot log knows the number that a new competition was to get."""


def insert_numbered(
    db: Database, log: BallotLog, by: Person, insert: Callable[[Tx], Competition], *, once: Claim | None
) -> Competition:
    """Insert under a number that the ballot log does not know yet.

    One that it knows was given by a database that was put back to an older state without a new timeline, which nothing
    in the database tells (`incarnations.py`). While the log is away nobody can say, and the database is believed.
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
