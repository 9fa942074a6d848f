"""Reads journal, votes, tallies, audit log and checkpoints to verify them: one snapshot, streamed, without writing.

Streams are server-side cursors: whatever the size of an election, a few thousand rows are in memory. Where two tables are
compared, the server does it and sends only the differences.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import starmap
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from psycopg import IsolationLevel

from vote.db.checkpoints import Checkpoint, Head
from vote.db.pool import TIMEOUT_S, Database, Tx

CHUNK = 5_000
IDLE_S = 60  # a verifier that stalls this long loses its snapshot


class JournalRow(NamedTuple):
    """A row of the journal as it is, whatever was done to it."""

    shard: int
    seq: int
    id: UUID
    competition: int
    voter: int | None
    choice: str | None
    cast_at: datetime
    epoch: str
    position: int
    receipt: str | None
    digest: bytes
    chain: bytes
    is_retired: bool
    is_reinstated: bool


class AuditChainRow(NamedTuple):
    """A row of the audit log, with its content as the text that its chain value was made from."""

    id: int
    content: str
    chain: bytes


class Difference(NamedTuple):
    """A vote that differs from the journal. Either side may be missing."""

    competition: int
    voter: int
    counted: str | None
    counted_at: datetime | None
    journal: str | None
    journal_at: datetime | None
    shard: int | None
    seq: int | None
    ballot: UUID | None


class Candidate(NamedTuple):
    """A vote, and a journal row of its competition and moment that may be its ballot; `row` None when there is none."""

    competition: int
    voter: int
    choice: str
    row: JournalRow | None


class Covered(NamedTuple):
    """A checkpoint, and the row it signs: chain value and, in the journal, ballot; None when the row is gone."""

    checkpoint: Checkpoint
    chain: bytes | None
    ballot: UUID | None


class Retirement(NamedTuple):
    """The number of a competition's retired rows, and the number in the audit log."""

    competition: int
    retired: int
    audited: int
    votes: int
    votes_audited: int


class Unblanked(NamedTuple):
    """A person who was to be erased; `still` names what their row still holds."""

    id: int
    still: str


@contextmanager
def snapshot(db: Database) -> Iterator[Tx]:
    """Yield one moment of the whole database, read only, however long the reading takes."""
    with db.read() as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only, connection.timeout_s = True, None
        try:
            with connection.transaction():
                connection.execute(
                    "SELECT set_config('statement_timeout', '0', true), set_config('timezone', 'UTC', true),"
                    " set_config('idle_in_transaction_session_timeout', %s, true)",
                    (f"{IDLE_S}s",),
                )
                yield connection
        finally:
            connection.isolation_level = connection.read_only = None
            connection.timeout_s = TIMEOUT_S


def journal(tx: Tx) -> Iterator[JournalRow]:
    """Return the whole journal, shard by shard, in order."""
    query = """
        SELECT shard, seq, id, competition_id, user_id, choice, cast_at, epoch, position, receipt, digest, chain,
               retired_at IS NOT NULL, reinstatement_id IS NOT NULL
        FROM ballots ORDER BY shard, seq
    """
    return starmap(JournalRow, _stream(tx, query))


def audit_log(tx: Tx) -> Iterator[AuditChainRow]:
    """Return the whole audit log, in order. The text is what the schema's `audit_chain()` hashes, built independently."""
    query = """
        SELECT id, jsonb_build_array(extract(epoch FROM at), actor, action, subject, subject_id, before, after)::text,
               chain
        FROM audit_log ORDER BY id
    """
    return starmap(AuditChainRow, _stream(tx, query))


def checkpoints(tx: Tx) -> Iterator[Covered]:
    """Yield every checkpoint with the row it signs, oldest first per chain."""
    query = r"""
        SELECT k.subject, k.seq, k.chain, k.made_at, k.key_id, k.signature, coalesce(b.chain, a.chain), b.id
        FROM checkpoints k
        LEFT JOIN ballots b ON b.seq = k.seq AND k.subject = 'shard:' || b.shard
            AND b.shard = CASE WHEN k.subject ~ '^shard:\d{1,4}$' THEN split_part(k.subject, ':', 2)::smallint END
        LEFT JOIN audit_log a ON a.id = k.seq AND k.subject = 'audit'
        ORDER BY k.subject, k.seq
    """
    for subject, seq, chain, made_at, key_id, signature, present, ballot in _stream(tx, query):
        yield Covered(Checkpoint(Head(subject, seq, chain), made_at, key_id, signature), present, ballot)


def uncovered(tx: Tx, *, minutes: int) -> list[tuple[str, int]]:
    """Return chains with rows older than `minutes` that no checkpoint covers: (subject, the first such row)."""
    rows = tx.execute(
        """
        WITH newest AS (SELECT subject, max(seq) AS seq FROM checkpoints GROUP BY subject)
        SELECT 'shard:' || p.shard, b.seq
        FROM log_positions p LEFT JOIN newest n ON n.subject = 'shard:' || p.shard
        JOIN LATERAL (SELECT seq, recorded_at FROM ballots
                      WHERE shard = p.shard AND seq > coalesce(n.seq, 0) ORDER BY seq LIMIT 1) AS b ON true
        WHERE b.recorded_at < now() - make_interval(mins => %(minutes)s)
        UNION ALL
        (SELECT 'audit', a.id FROM audit_log a
         WHERE a.id > coalesce((SELECT seq FROM newest WHERE subject = 'audit'), 0)
           AND a.at < now() - make_interval(mins => %(minutes)s) ORDER BY a.id LIMIT 1)
        """,
        {"minutes": minutes},
    )
    return [(row[0], row[1]) for row in rows]


def epochs_that_follow(tx: Tx) -> dict[int, dict[str, set[str]]]:
    """Return, per shard, the epochs that came right after each epoch, according to the gap rows."""
    follow: dict[int, dict[str, set[str]]] = {}
    for shard, old, new in tx.execute("SELECT shard, old_epoch, new_epoch FROM log_gaps"):
        follow.setdefault(shard, {}).setdefault(old, set()).add(new)
    return follow


def receipt_keys(tx: Tx) -> dict[int, bytes]:
    """Return the receipt key of every competition."""
    return dict(tx.execute("SELECT id, receipt_key FROM competitions").fetchall())


def votes_unlike_journal(tx: Tx) -> Iterator[Difference]:
    """Return differences between votes and journal, by each competition's rule. `retired_votes` covers retired ballots."""
    query = """
        -- The ballot of each voter that counts: the first or the last of the journal, in the order it was recorded.
        WITH counts AS (
            SELECT DISTINCT ON (b.competition_id, b.user_id)
                   b.competition_id, b.user_id, b.choice, b.cast_at, b.shard, b.seq, b.id
            FROM ballots b JOIN competitions c ON c.id = b.competition_id
            WHERE b.retired_at IS NULL
            ORDER BY b.competition_id, b.user_id, CASE WHEN c.allow_change THEN -b.seq ELSE b.seq END
        ), retired AS MATERIALIZED (SELECT DISTINCT competition_id FROM ballots WHERE retired_at IS NOT NULL)
        SELECT competition_id, user_id, v.choice, coalesce(v.changed_at, v.created_at), j.choice, j.cast_at,
               j.shard, j.seq, j.id
        FROM counts j FULL JOIN votes v USING (competition_id, user_id)
        WHERE (j.id IS NULL OR v.choice IS NULL OR v.choice <> j.choice
               OR coalesce(v.changed_at, v.created_at) <> j.cast_at)
          AND (v.choice IS NULL OR competition_id NOT IN (SELECT competition_id FROM retired))
    """
    return starmap(Difference, _stream(tx, query))


def retired_votes(tx: Tx) -> Iterator[Candidate]:
    """Yield every vote of competitions with retired ballots, with each journal row of the same moment, by voter.

    A retired row no longer names its voter; its digest shows whether it is this voter's.
    """
    query = """
        WITH retired AS MATERIALIZED (SELECT DISTINCT competition_id FROM ballots WHERE retired_at IS NOT NULL)
        SELECT v.competition_id, v.user_id, v.choice,
               b.shard, b.seq, b.id, b.competition_id, b.user_id, b.choice, b.cast_at, b.epoch, b.position, b.receipt,
               b.digest, b.chain, b.retired_at IS NOT NULL, b.reinstatement_id IS NOT NULL
        FROM votes v JOIN retired r ON r.competition_id = v.competition_id
        LEFT JOIN ballots b ON b.competition_id = v.competition_id AND b.cast_at = coalesce(v.changed_at, v.created_at)
        ORDER BY v.competition_id, v.user_id
    """
    for competition, voter, choice, *row in _stream(tx, query):
        yield Candidate(competition, voter, choice, None if row[0] is None else JournalRow(*row))


def retirements(tx: Tx) -> list[Retirement]:
    """Return retired rows per competition, and what the audit log says about them."""
    rows = tx.execute(
        """
        WITH there AS (SELECT competition_id AS id, count(*) AS retired FROM ballots
                       WHERE retired_at IS NOT NULL GROUP BY 1),
             said AS (SELECT subject_id::bigint AS id, sum((after ->> 'ballots')::bigint)::bigint AS audited,
                             max((after ->> 'votes')::bigint) AS votes
                      FROM audit_log WHERE subject = 'ballots' AND action = 'retire' GROUP BY 1)
        SELECT id, coalesce(there.retired, 0), coalesce(said.audited, 0),
               (SELECT count(*) FROM votes WHERE competition_id = id), coalesce(said.votes, 0)
        FROM there FULL JOIN said USING (id) ORDER BY id
        """
    )
    return [Retirement(*row) for row in rows]


def wrong_tallies(tx: Tx) -> list[tuple[int, str, int, int]]:
    """Return tallies that differ from the number of votes: (competition, option, tally, votes)."""
    rows = tx.execute(
        """
        SELECT competition_id, key, coalesce(t.votes, 0), coalesce(v.votes, 0)
        FROM (SELECT competition_id, option_key AS key, sum(votes)::bigint AS votes FROM tallies GROUP BY 1, 2) AS t
        FULL JOIN (SELECT competition_id, choice AS key, count(*) AS votes FROM votes GROUP BY 1, 2) AS v
            USING (competition_id, key)
        WHERE coalesce(t.votes, 0) <> coalesce(v.votes, 0) ORDER BY 1, 2
        """
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def not_blanked(tx: Tx) -> Iterator[Unblanked]:
    """Return people whose erasure is recorded and whose row is not blank."""
    query = """
        SELECT u.id, concat_ws(', ', CASE WHEN u.username IS NOT NULL THEN 'username' END,
                               CASE WHEN u.email IS NOT NULL THEN 'email address' END,
                               CASE WHEN u.password_hash IS NOT NULL THEN 'password hash' END)
        FROM users u LEFT JOIN erasures e ON e.user_id = u.id AND e.recorded_at IS NOT NULL
        WHERE (u.erased_at IS NOT NULL OR e.user_id IS NOT NULL)
          AND (u.username IS NOT NULL OR u.email IS NOT NULL OR u.password_hash IS NOT NULL)
        ORDER BY u.id
    """
    return starmap(Unblanked, _stream(tx, query))


def sizes(tx: Tx) -> dict[str, int]:
    """Return how many rows there are to verify."""
    row = tx.execute(
        """
        SELECT (SELECT count(*) FROM ballots), (SELECT count(*) FROM audit_log), (SELECT count(*) FROM checkpoints),
               (SELECT count(*) FROM votes)
        """
    ).fetchone()
    assert row is not None
    return dict(zip(("ballots", "audit", "checkpoints", "votes"), row, strict=True))


def _stream(tx: Tx, query: LiteralString) -> Iterator[tuple[Any, ...]]:
    with tx.cursor(name="integrity") as cursor:
        cursor.itersize = CHUNK
        cursor.execute(query)
        yield from cursor
