"""A shard's lock: its row of recorded positions. Only its holder may commit (R4).

It ends with the transaction: when a worker dies, its connection ends and another worker takes the shard over; when one
freezes, PostgreSQL ends the transaction after IDLE_IN_TRANSACTION_MS (`pool.py`).
"""

from vote.db.pool import Tx
from vote.db.shard_positions import POSITION, Position


def lock_shard(tx: Tx, shard: int) -> Position | None:
    """Lock the shard for this transaction and return its position; None when another worker holds it."""
    row = tx.execute(POSITION + " WHERE shard = %s FOR UPDATE SKIP LOCKED", (shard,)).fetchone()
    return None if row is None else Position(*row)


def advance(tx: Tx, position: Position) -> None:
    """Advance a locked shard, last in the transaction that records what lies before the new position."""
    tx.execute(
        """
        UPDATE log_positions
        SET epoch = %(epoch)s, position = %(position)s, last_entry = %(last_entry)s, recorded = %(recorded)s,
            chain = %(chain)s, moved_at = clock_timestamp()
        WHERE shard = %(shard)s
        """,
        position._asdict(),
    )
