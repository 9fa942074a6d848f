"""How much is on its way from the ballot log to PostgreSQL."""

from vote.db import positions
from vote.db.pool import Tx
from vote.edge.parts import Parts
from vote.errors import LogUnavailable


def entries(parts: Parts, tx: Tx) -> int | None:
    """Entries of all shards that are not recorded yet; None when the log does not say."""
    recorded = positions.all_positions(tx)
    try:
        shards = parts.log.describe_all()
    except LogUnavailable:
        return None
    waiting = 0
    for shard in shards:
        known = recorded.get(shard.number)
        done = known.position if known is not None and known.epoch == shard.epoch else 0
        waiting += max(0, shard.last - done)
    return waiting
