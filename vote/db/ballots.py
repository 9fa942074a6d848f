"""The journal and the votes that follow from it; only the worker writes them, in batches."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from vote.db.pool import Tx
from vote.domain.ballot import Ballot
from vote.domain.chain import ChainLink


class JournalEntry(NamedTuple):
    """A ballot with its position in a shard and its receipt."""

    ballot: Ballot
    position: int
    receipt: str


def insert_journal(
    tx: Tx,
    shard: int,
    epoch: str,
    entries: Sequence[JournalEntry],
    links: Sequence[ChainLink],
    *,
    reinstatement: int | None = None,
) -> None:
    """Append ballots to the journal, all or none. Raises UniqueViolation when it already has one of them.

    `reinstatement`: the id of the decision that lets ballots count which were unmatched before.
    """
    ballots = [entry.ballot for entry in entries]
    tx.execute(
        """
        INSERT INTO ballots (id, competition_id, user_id, choice, cast_at, shard, epoch, position, receipt,
                             seq, digest, chain, reinstatement_id)
        SELECT id, competition_id, user_id, choice, cast_at, %s, %s, position, receipt, seq, digest, chain, %s::bigint
        FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[], %s::bigint[], %s::text[],
                    %s::bigint[], %s::bytea[], %s::bytea[])
            AS b (id, competition_id, user_id, choice, cast_at, position, receipt, seq, digest, chain)
        """,
        (
            shard,
            epoch,
            reinstatement,
            _array(ballot.id.hex for ballot in ballots),
            *_columns(ballots),
            _array(str(entry.position) for entry in entries),
            _array(entry.receipt for entry in entries),
            _array(str(link.seq) for link in links),
            _array(_bytea(link.digest) for link in links),
            _array(_bytea(link.chain) for link in links),
        ),
    )


def in_journal(tx: Tx, ids: Iterable[UUID]) -> set[UUID]:
    """Return which of these ballots the journal already has."""
    return {row[0] for row in tx.execute("SELECT id FROM ballots WHERE id = ANY(%s)", (list(ids),))}


def insert_first_votes(tx: Tx, first: Iterable[Ballot]) -> list[tuple[int, str]]:
    """Insert votes where the first ballot counts. Returns (competition, choice) of each new vote."""
    rows = tx.execute(
        """
        INSERT INTO votes (competition_id, user_id, choice, created_at)
        SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[])
        ON CONFLICT (competition_id, user_id) DO NOTHING
        RETURNING competition_id, choice
        """,
        _columns(first),
    )
    return [(row[0], row[1]) for row in rows]


def choices_of(tx: Tx, competition: int, voters: Iterable[int]) -> dict[int, str]:
    """Return the recorded choice of each of these voters that has one."""
    query = "SELECT user_id, choice FROM votes WHERE competition_id = %s AND user_id = ANY(%s)"
    return dict(tx.execute(query, (competition, list(voters))).fetchall())


def upsert_last_votes(tx: Tx, last: Iterable[Ballot]) -> None:
    """Insert or replace votes where the last ballot counts. At most one per voter and competition."""
    tx.execute(
        """
        INSERT INTO votes (competition_id, user_id, choice, created_at)
        SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[])
        ON CONFLICT (competition_id, user_id)
        DO UPDATE SET choice = excluded.choice, changed_at = excluded.created_at
        """,
        _columns(last),
    )


def insert_unmatched(tx: Tx, shard: int, epoch: str, entries: Iterable[JournalEntry]) -> None:
    """Keep aside ballots whose voter, competition or option is not known here (R9)."""
    for ballot, position, _ in entries:
        tx.execute(
            """
            INSERT INTO unmatched_ballots (id, competition_id, user_id, choice, cast_at, shard, epoch, position)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING
            """,
            (ballot.id, ballot.competition, ballot.voter, ballot.choice, ballot.cast_at, shard, epoch, position),
        )


def insert_rejected(tx: Tx, shard: int, epoch: str, position: int, *, entry: str, reason: str) -> None:
    """Keep aside an entry that can never be recorded."""
    tx.execute(
        """
        INSERT INTO rejected_ballots (shard, epoch, position, entry, reason) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (shard, epoch, position) DO NOTHING
        """,
        (shard, epoch, position, entry.replace("\0", "\N{REPLACEMENT CHARACTER}"), reason),
    )


def known_voters(tx: Tx, voters: Iterable[int]) -> set[int]:
    """Return which of these voters exist here, erased or not."""
    return {row[0] for row in tx.execute("SELECT id FROM users WHERE id = ANY(%s)", (list(voters),))}


def _columns(ballots: Iterable[Ballot]) -> tuple[str, str, str, str]:
    rows = list(ballots)
    return (
        _array(str(ballot.competition) for ballot in rows),
        _array(str(ballot.voter) for ballot in rows),
        _array(ballot.choice for ballot in rows),
        _array(ballot.cast_at.isoformat() for ballot in rows),
    )


def _array(values: Iterable[str]) -> str:
    """Return an array literal of values that need no quotes: our own numbers, hex, option keys, receipts and ISO times.

    psycopg dumps a list value by value; for a batch that took half of the worker's time (`make bench`).
    """
    return "{" + ",".join(values) + "}"


def _bytea(value: bytes) -> str:
    return '"\\\\x' + value.hex() + '"'


def may_have_ballots(tx: Tx, competition_id: int, *, since: datetime | None) -> bool:
    """Return whether a ballot of this competition was recorded or kept aside, or may lie in a gap since it opened.

    A journal row always has its vote, and a vote stays when its voter is erased; so votes stand for both.
    """
    query = """
        SELECT (SELECT true FROM votes WHERE competition_id = %(id)s ORDER BY user_id LIMIT 1) IS NOT NULL
            OR EXISTS (SELECT FROM unmatched_ballots WHERE competition_id = %(id)s)
            OR EXISTS (SELECT FROM log_gaps WHERE noticed_at >= %(since)s)
    """
    return bool(tx.fetch_value(query, {"id": competition_id, "since": since}))
