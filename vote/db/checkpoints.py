"""Signed heads of the chains, `shard:<n>` and `audit`. The worker writes them; nobody may change them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from vote.db.pool import Tx


class Head(NamedTuple):
    """The newest row of a chain: its number (the id, in the audit log) and its chain value."""

    subject: str
    seq: int
    chain: bytes


class Checkpoint(NamedTuple):
    """A signed head."""

    head: Head
    made_at: datetime
    key_id: str
    signature: bytes


def take_turn(tx: Tx) -> bool:
    """Return whether this transaction may write checkpoints: one worker at a time, so that there is one a minute."""
    return bool(tx.fetch_value("SELECT pg_try_advisory_xact_lock(hashtext('checkpoints'))"))


def unsigned_heads(tx: Tx, *, every_s: int) -> list[tuple[Head, datetime]]:
    """Return heads that moved since their newest checkpoint, where that is at least `every_s` old, with the present time."""
    rows = tx.execute(
        """
        SELECT h.subject, h.seq, h.chain, now()
        FROM (SELECT 'shard:' || shard AS subject, recorded AS seq, chain FROM log_positions WHERE recorded > 0
              UNION ALL
              (SELECT 'audit', id, chain FROM audit_log ORDER BY id DESC LIMIT 1)) AS h
        LEFT JOIN LATERAL (
            SELECT seq, made_at FROM checkpoints c WHERE c.subject = h.subject ORDER BY c.seq DESC LIMIT 1) AS newest ON true
        WHERE newest.seq IS NULL OR (newest.seq < h.seq AND newest.made_at <= now() - make_interval(secs => %s))
        ORDER BY h.subject
        """,
        (every_s,),
    )
    return [(Head(*row[:3]), row[3]) for row in rows]


def insert(tx: Tx, checkpoints: Sequence[Checkpoint]) -> None:
    """Insert signed heads. One that exists stays as it is."""
    tx.cursor().executemany(
        """
        INSERT INTO checkpoints (subject, seq, chain, made_at, key_id, signature) VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (subject, seq) DO NOTHING
        """,
        [(*each.head, each.made_at, each.key_id, each.signature) for each in checkpoints],
    )
