"""Unmatched ballots that match again, and the admins' decisions to count them (R9)."""

from typing import LiteralString, NamedTuple

from vote.db.ballots import JournalEntry
from vote.db.pool import Tx
from vote.domain.ballot import Ballot

VOTERS_AT_ONCE = 1_000  # all ballots of a voter go into one transaction, which decides which of them counts


class Reinstatement(NamedTuple):
    """A reinstatement that was asked for and is not done."""

    id: int
    competition: int


class ReinstatableBallot(NamedTuple):
    """A ballot that matches now, with the epoch of its position in the log. Its receipt is not computed yet."""

    epoch: str
    entry: JournalEntry


# Voter and option exist, and the voter has no vote: a recorded vote is never replaced by an earlier ballot.
_MATCHES: LiteralString = """
    EXISTS (SELECT FROM users WHERE users.id = u.user_id)
    AND EXISTS (SELECT FROM options o WHERE o.competition_id = u.competition_id AND o.key = u.choice)
    AND NOT EXISTS (SELECT FROM votes v WHERE v.competition_id = u.competition_id AND v.user_id = u.user_id)
"""


def insert(tx: Tx, competition: int, *, by: int, reason: str) -> None:
    """Ask for a reinstatement. Does nothing when one is pending for the competition."""
    tx.execute(
        "INSERT INTO reinstatements (competition_id, asked_by, reason) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (competition, by, reason),
    )


def pending(tx: Tx) -> list[Reinstatement]:
    """Return reinstatements that are not done, oldest first."""
    rows = tx.execute("SELECT id, competition_id FROM reinstatements WHERE done_at IS NULL ORDER BY asked_at")
    return [Reinstatement(*row) for row in rows]


def count_matching(tx: Tx, competition: int) -> int:
    """Return how many unmatched ballots of a competition match now."""
    return int(
        tx.fetch_value(
            f"SELECT count(*) FROM unmatched_ballots u WHERE u.competition_id = %s AND {_MATCHES}",  # noqa: S608  # nosec B608
            (competition,),
        )
    )


def matching(tx: Tx, competition: int, shard: int) -> list[ReinstatableBallot]:
    """Return unmatched ballots of a shard that match now, of at most VOTERS_AT_ONCE voters, in the order they were cast."""
    rows = tx.execute(
        f"""
        SELECT u.epoch, u.id, u.competition_id, u.user_id, u.choice, u.cast_at, u.position
        FROM unmatched_ballots u
        WHERE u.competition_id = %(competition)s AND u.shard = %(shard)s AND {_MATCHES} AND u.user_id IN (
            SELECT u.user_id FROM unmatched_ballots u
            WHERE u.competition_id = %(competition)s AND u.shard = %(shard)s AND {_MATCHES}
            GROUP BY u.user_id ORDER BY u.user_id LIMIT %(voters)s)
        ORDER BY u.cast_at, u.position
        """,  # noqa: S608  # nosec B608: a literal
        {"competition": competition, "shard": shard, "voters": VOTERS_AT_ONCE},
    )
    return [ReinstatableBallot(row[0], JournalEntry(Ballot(*row[1:6]), row[6], "")) for row in rows]


def forget_recorded(tx: Tx, competition: int, shard: int) -> int:
    """Delete unmatched ballots that are in the journal by now. Returns how many."""
    return tx.execute(
        """
        DELETE FROM unmatched_ballots u
        WHERE u.competition_id = %s AND u.shard = %s AND EXISTS (SELECT FROM ballots b WHERE b.id = u.id)
        """,
        (competition, shard),
    ).rowcount


def finish(tx: Tx, reinstatement: int) -> int:
    """Mark a reinstatement as done. Returns how many journal rows it made."""
    query = """
        UPDATE reinstatements r SET done_at = now(),
            ballots = (SELECT count(*) FROM ballots b
                       WHERE b.reinstatement_id = r.id AND b.competition_id = r.competition_id)
        WHERE r.id = %s RETURNING ballots
    """
    return int(tx.fetch_value(query, (reinstatement,)))


def wrong(tx: Tx) -> list[tuple[int, int | None, int]]:
    """Return done reinstatements whose number of ballots differs from the journal's: (id, stated, in the journal)."""
    return tx.execute(
        """
        SELECT r.id, r.ballots, count(b.id) FROM reinstatements r
        LEFT JOIN ballots b ON b.reinstatement_id = r.id AND b.competition_id = r.competition_id
        WHERE r.done_at IS NOT NULL GROUP BY r.id HAVING count(b.id) <> r.ballots ORDER BY r.id
        """
    ).fetchall()
