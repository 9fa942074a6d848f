"""Evicts the voters of competitions that are over from the log's memory, which is for those who may still vote.

A shard that has forgotten a competition takes no ballot for it, whoever pushes rules: who voted could vote again. So nothing
is evicted before it is too late to reopen it (`retention.to_forget`, `retention.reopening`).
"""

from collections.abc import Collection

from vote.ballotlog.log import BallotLog
from vote.db import retention
from vote.db.pool import Database

ACTOR = "keeping"


def forget(db: Database, log: BallotLog, *, keep_hours: int, begun: Collection[int] = ()) -> list[int]:
    """Have every shard forget what is closed and safe. Returns the competitions that all shards have forgotten.

    `begun`: competitions that some shard has forgotten already. PostgreSQL may not know: it was set back, or a call before
    this one ended halfway. The log comes first, so that calling it again completes it.
    """
    with db.read() as tx:
        over = retention.to_forget(tx, keep_hours=keep_hours, begun=begun)
    if not over:
        return []
    # Shards refuse versions that are not their newest: a competition reopened meanwhile stays as it is.
    if not all([log.forget(shard, over) == "ok" for shard in log.describe_all()]):
        return []
    with db.transaction(by=ACTOR) as tx:
        return retention.mark_forgotten(tx, over)
