"""High-water marks of acknowledged ballots per shard, as web processes write them (R6). They only grow."""

from collections.abc import Mapping

from vote.db.pool import Tx
from vote.domain.mark import AcknowledgedMark


def raise_to(tx: Tx, marks: Mapping[int, AcknowledgedMark]) -> None:
    """Raise marks, by shard; a higher one of the same epoch stays. Shards go in order, so that writers never deadlock."""
    for shard, mark in sorted(marks.items()):
        tx.execute(
            """
            INSERT INTO log_marks AS m (shard, epoch, position, entry_id) VALUES (%s, %s, %s, %s)
            ON CONFLICT (shard, epoch) DO UPDATE
            SET position = excluded.position, entry_id = excluded.entry_id, marked_at = now()
            WHERE m.position < excluded.position
            """,
            (shard, *mark),
        )


def of_epoch(tx: Tx, shard: int, epoch: str) -> AcknowledgedMark | None:
    """Return the mark of one epoch of a shard; None when no web process has written one."""
    row = tx.execute(
        "SELECT epoch, position, entry_id FROM log_marks WHERE shard = %s AND epoch = %s", (shard, epoch)
    ).fetchone()
    return None if row is None else AcknowledgedMark(*row)


def all_marks(tx: Tx) -> dict[tuple[int, str], AcknowledgedMark]:
    """Return every mark, by shard and epoch."""
    rows = tx.execute("SELECT shard, epoch, position, entry_id FROM log_marks")
    return {(row[0], row[1]): AcknowledgedMark(*row[1:]) for row in rows}
