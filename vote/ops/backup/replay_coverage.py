"""Check that the ballot log reaches back to a restored database's position: trimmed ballots cannot be replayed.

The log is trimmed below the newest verified backup (R9). Only the lost database knew which backups were verified; so every
newer backup counts, unless the log answers and shows that it still has the entries.
"""

import contextlib
from collections.abc import Callable
from datetime import datetime

from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import installation, shard_positions
from vote.db.pool import Tx
from vote.db.shard_positions import Position
from vote.domain.installation import Installation
from vote.errors import BackupUnusable, LogUnavailable
from vote.ops.backup import manifest as manifests
from vote.ops.backup.folder import Folder


def check_reach(
    tx: Tx, settings: Settings, system: str, until: datetime, *, accept_loss: bool, say: Callable[[str], None]
) -> None:
    """Compare a database restored to `until` with the newest backup made after it.

    Raises BackupUnusable when the log may no longer hold the ballots in between; with `accept_loss` only reports that to
    `say`.
    """
    folder = Folder.from_settings(settings)
    backups = (manifests.read_plain(folder.backup(label)) for label in folder.labels())
    newer = next((backup for backup in backups if backup.system == system and backup.moment_at > until), None)
    if newer is None:
        return
    lost = 0
    log = BallotLog(settings.log_url, settings.vote_shards, Installation(installation.find(tx)))
    with contextlib.closing(log):
        for position in shard_positions.all_positions(tx).values():
            count, _ = newer.facts.get(f"journal of shard {position.shard}", (0, ""))
            if count > position.recorded and not _reaches(log, position):
                lost += count - position.recorded
    if lost == 0:
        return
    explanation = (
        f"{lost} ballots were recorded between {until} and backup {newer.label}. The ballot log may be trimmed up to that"
        " backup, so they may be lost."
    )
    if not accept_loss:
        raise BackupUnusable(
            f"{explanation} Nothing was changed. Restore to a later time or to the end. Or add --accept-loss: the ballots"
            " then exist only in the data set aside, and the worker records gaps for an admin to decide."
        )
    say(f"{explanation} They are in the data set aside; the worker records gaps for an admin to decide.")


def _reaches(log: BallotLog, position: Position) -> bool:
    try:
        first = log.read_after(position.shard, 0, 1)
        return (
            log.describe(position.shard).epoch == position.epoch
            and bool(first)
            and first[0].position <= position.position + 1
        )
    except LogUnavailable:
        return False  # `vote up` is stopped, and its log with it
