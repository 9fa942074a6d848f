"""Tallies: read as sums over shards, written by the worker in the transaction that records the votes."""

from collections.abc import Iterable, Mapping

from vote.db.incarnations import VERSIONS_FROM
from vote.db.pool import Tx
from vote.domain.tally import Tally

Delta = Mapping[tuple[int, str], int]


def read(tx: Tx, competition_ids: Iterable[int]) -> dict[int, Tally]:
    """Return the tally of each of these competitions that exists, every option present.

    One statement, so that counts, version and state are of one moment. The version is a sum of numbers that only grow, even
    when the database has lost its newest rows (`incarnations.py`).
    """
    rows = tx.execute(
        f"""
        SELECT c.id, c.status, c.state_changes + {VERSIONS_FROM}, o.key, coalesce(sum(t.votes), 0)::bigint,
               coalesce(sum(t.version), 0)::bigint
        FROM competitions c
        JOIN options o ON o.competition_id = c.id
        LEFT JOIN tallies t ON t.competition_id = c.id AND t.option_key = o.key
        WHERE c.id = ANY(%s)
        GROUP BY c.id, o.key
        ORDER BY c.id, o.key
        """,  # noqa: S608  # nosec B608: a literal
        (list(competition_ids),),
    )
    tallies: dict[int, Tally] = {}
    for competition, state, changes, key, votes, version in rows:
        before = tallies.get(competition)
        counts = {**(before.counts if before else {}), key: votes}
        tallies[competition] = Tally(competition, (before.version if before else changes) + version, state, counts)
    return tallies


def add(tx: Tx, shard: int, deltas: Delta) -> None:
    """Add to the counts of this shard. Only its worker touches these rows, so nobody waits for anyone."""
    changed = [(competition, key, votes) for (competition, key), votes in sorted(deltas.items()) if votes]
    if not changed:
        return
    competitions, keys, votes = (list(column) for column in zip(*changed, strict=True))
    tx.execute(
        """
        INSERT INTO tallies AS t (competition_id, shard, option_key, votes, version)
        SELECT competition_id, %s, option_key, votes, 1
        FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS d (competition_id, option_key, votes)
        ON CONFLICT (competition_id, shard, option_key)
        DO UPDATE SET votes = t.votes + excluded.votes, version = t.version + 1
        """,
        (shard, competitions, keys, votes),
    )
