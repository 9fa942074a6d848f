"""Checks who owns this ballot log (R11): this installation, or nobody yet; another installation's log is left alone.

It uses plain commands, before the log's functions are loaded: functions are server-wide, and loading them into another
installation's log would change what that installation runs.
"""

from vote.ballotlog.log import BallotLog
from vote.db import shard_lock, shard_positions
from vote.db.pool import Database
from vote.errors import ForeignLog, LogUnavailable

ACTOR = "worker"


def check(db: Database, log: BallotLog) -> None:
    """Raise ForeignLog unless every shard is this installation's, or may be claimed (`claim`)."""
    with db.read() as tx:
        recorded = shard_positions.all_positions(tx)
    for shard, (owner, epoch) in enumerate(log.owners()):
        known = recorded[shard].epoch if shard in recorded else None
        if owner != log.installation.id and (owner or epoch not in ("", known)):
            raise ForeignLog(str(log.installation.id), owner)


def claim(db: Database, log: BallotLog) -> None:
    """Claim the shards that are nobody's. Raises ForeignLog.

    They belong to an empty log, or to one from before logs had owners, whose epoch is the one recorded here. Shards are
    claimed in order: of two installations that start together on an empty log, the one that gets the first shard gets all.
    The row of the shard is locked, so that nobody records another epoch of it meanwhile.
    """
    for shard, (owner, epoch) in enumerate(log.owners()):
        if owner == log.installation.id:
            continue
        with db.transaction(by=ACTOR) as tx:
            position = shard_lock.lock_shard(tx, shard)
            if position is None:
                raise LogUnavailable(f"Another worker holds shard {shard} of the ballot log.")
            if owner or epoch not in ("", position.epoch):
                raise ForeignLog(str(log.installation.id), owner)
            log.claim(shard, epoch)
