"""Backups as the database knows them: a row each, the moment they describe, and what a restored database must equal.

Files, encryption and servers are in `vote.ops.backup`; slots and streaming are in `replication.py`.
"""

import json
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from vote.db.pool import Tx

MADE, VERIFIED, FAILED = "made", "verified", "failed"
LOCK_WAIT = "3s"  # a longer holder of a shard or the audit log is stuck; better no backup now than a queue behind it
MESSAGE = "vote backup"  # prefix of the WAL record before which a recovery can stop


class Backup(NamedTuple):
    """A row of `backups`. `verdict` begins with made, verified or failed."""

    label: str
    started_at: datetime
    finished_at: datetime | None
    verified_at: datetime | None
    verdict: str | None


class Moment(NamedTuple):
    """A place in the write-ahead log at which nothing that facts are taken from was half done."""

    lsn: str
    timeline: int
    at: datetime


# What a restored database must equal at the same moment. Each row: subject, count, hash of the set.
# Whole rows are hashed, so that one changed column shows; the journal has its own chain (domain/chain.py).
FACTS: dict[str, LiteralString] = {
    "votes": """
        SELECT 'votes of ' || competition_id, count(*),
               encode(sha256(string_agg(sha256(convert_to(v::text, 'UTF8')), '' ORDER BY user_id)), 'hex')
        FROM votes v GROUP BY competition_id
    """,
    "journal": """
        SELECT 'journal of shard ' || p.shard, coalesce(n.count, 0), coalesce(encode(b.chain, 'hex'), '')
        FROM log_positions p
        LEFT JOIN (SELECT shard, count(*) FROM ballots GROUP BY shard) n USING (shard)
        LEFT JOIN ballots b ON b.shard = p.shard AND b.seq = n.count
    """,
    "positions": """
        SELECT 'position of shard ' || shard, position,
               concat_ws('|', epoch, last_entry, recorded, encode(chain, 'hex'))
        FROM log_positions
    """,
    "accounts": """
        SELECT 'accounts', count(*),
               encode(sha256(string_agg(sha256(convert_to(u::text, 'UTF8')), '' ORDER BY id)), 'hex') FROM users u
    """,
    "competitions": """
        SELECT 'competitions', count(*),
               encode(sha256(string_agg(sha256(convert_to(c::text, 'UTF8')), '' ORDER BY id)), 'hex') FROM competitions c
    """,
    "options": """
        SELECT 'options', count(*),
               encode(sha256(string_agg(sha256(convert_to(o::text, 'UTF8')), '' ORDER BY competition_id, key)), 'hex')
        FROM options o
    """,
    "tallies": """
        SELECT 'tallies', coalesce(sum(votes), 0)::bigint,
               encode(sha256(string_agg(convert_to(t::text, 'UTF8'), '' ORDER BY competition_id, shard, option_key)), 'hex')
        FROM tallies t
    """,
    "audit": """
        SELECT 'audit log', count(*), coalesce((SELECT encode(chain, 'hex') FROM audit_log ORDER BY id DESC LIMIT 1), '')
        FROM audit_log
    """,
}

Facts = dict[str, tuple[int, str]]
Positions = dict[int, tuple[str | None, int]]  # {shard: (epoch, position)}


def begin(tx: Tx, label: str) -> None:
    """Note that a backup is being made."""
    tx.execute("INSERT INTO backups (label) VALUES (%s) ON CONFLICT (label) DO NOTHING", (label,))


def finish(tx: Tx, label: str, positions: Positions) -> None:
    """Note that a backup is complete, and where each shard stood in it."""
    tx.execute(
        "UPDATE backups SET finished_at = now(), positions = %s, verdict = %s WHERE label = %s",
        (json.dumps(positions), MADE, label),
    )


def fail(tx: Tx, label: str, why: str) -> None:
    """Note what went wrong with a backup. The time of an earlier verification stays."""
    tx.execute("UPDATE backups SET verdict = %s WHERE label = %s", (f"{FAILED}: {why}"[:1000], label))


def mark_verified(tx: Tx, label: str, *, started_at: datetime, positions: Positions, verdict: str) -> None:
    """Note that a real restore has proven this backup. Inserts the row again where a restore has lost it."""
    tx.execute(
        """
        INSERT INTO backups (label, started_at, finished_at, positions, verified_at, verdict)
        VALUES (%s, %s, %s, %s, now(), %s)
        ON CONFLICT (label) DO UPDATE
        SET finished_at = coalesce(backups.finished_at, excluded.finished_at), positions = excluded.positions,
            verified_at = now(), verdict = excluded.verdict
        """,
        (label, started_at, started_at, json.dumps(positions), f"{VERIFIED}: {verdict}"[:1000]),
    )


def all_backups(tx: Tx) -> list[Backup]:
    """Return every row, newest first."""
    rows = tx.execute(
        "SELECT label, started_at, finished_at, verified_at, verdict FROM backups ORDER BY started_at DESC, id DESC"
    )
    return [Backup(*row) for row in rows]


def last_proof(tx: Tx) -> tuple[datetime | None, datetime | None]:
    """Return when the newest backup verified by a real restore was made, and when such a restore last succeeded."""
    row = tx.execute("SELECT max(started_at), max(verified_at) FROM backups WHERE verified_at IS NOT NULL").fetchone()
    assert row is not None
    return row[0], row[1]


def newest_verified_positions(tx: Tx) -> dict[int, tuple[str, int]] | None:
    """Return {shard: (epoch, position)} of the newest backup that a real restore has verified; None without one (R9).

    The log may be trimmed strictly below these, and nowhere else. A shard without an epoch then is left out.
    """
    row = tx.execute(
        """
        SELECT positions FROM backups WHERE verified_at IS NOT NULL AND positions IS NOT NULL
        ORDER BY started_at DESC, id DESC LIMIT 1
        """
    ).fetchone()
    if row is None:
        return None
    return {int(shard): (held[0], int(held[1])) for shard, held in row[0].items() if held[0] is not None}


def freeze(tx: Tx) -> None:
    """Wait until no ballot is half recorded and no account, competition or setting half changed, and keep it so.

    It lasts until this transaction ends: milliseconds, in which voters are not affected. The order, shards before the audit
    log, is the worker's own, so that the two never deadlock.
    """
    tx.execute("SELECT set_config('lock_timeout', %s, true)", (LOCK_WAIT,))
    tx.execute("SELECT shard FROM log_positions ORDER BY shard FOR UPDATE").fetchall()
    tx.execute("SELECT pg_advisory_xact_lock(hashtext('audit_log'))")  # every audited change holds it until its commit


def moment(tx: Tx) -> Moment:
    """Return where the write-ahead log is now. As the first statement it takes a REPEATABLE READ transaction's snapshot."""
    row = tx.execute(
        "SELECT pg_current_wal_insert_lsn()::text, substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8), now()"
    ).fetchone()
    assert row is not None
    return Moment(row[0], int(row[1], 16), row[2])


def leave_record(tx: Tx, label: str) -> str:
    """Write a record without effect to the write-ahead log, so that a recovery can stop before it. Returns where it ends."""
    return str(tx.fetch_value("SELECT pg_logical_emit_message(false, %s, %s)::text", (MESSAGE, label)))


def facts(tx: Tx) -> Facts:
    """Return what this snapshot holds: {subject: (count, hash)}."""
    tx.execute("SET LOCAL timezone = 'UTC'")  # rows are hashed as text
    tx.execute("SET LOCAL statement_timeout = 0")
    held: dict[str, tuple[int, str]] = {}
    for query in FACTS.values():
        held.update((row[0], (int(row[1]), row[2] or "")) for row in tx.execute(query))
    return held


def schema_revision(tx: Tx) -> str:
    """Return the migration this database is at."""
    return str(tx.fetch_value("SELECT version_num FROM alembic_version"))


def missing_journal(tx: Tx, facts: Facts) -> str | None:
    """Return a shard whose journal does not hold the link that these facts name as its newest; None without one."""
    find = "SELECT 1 FROM ballots WHERE shard = %s AND seq = %s AND chain = decode(%s, 'hex')"
    for subject, (count, chain) in facts.items():
        shard = subject.removeprefix("journal of shard ")
        if count and shard != subject and tx.fetch_value(find, (int(shard), count, chain)) is None:
            return subject
    return None


def describe(facts: Facts) -> dict[str, Any]:
    """Return facts for people: how many of what."""
    votes = sum(count for subject, (count, _) in facts.items() if subject.startswith("votes of "))
    ballots = sum(count for subject, (count, _) in facts.items() if subject.startswith("journal of "))
    return {
        "votes": votes,
        "ballots": ballots,
        "accounts": facts["accounts"][0],
        "competitions": facts["competitions"][0],
    }
