"""Decide which backups to keep: the newest ones, and always the newest verified one. WAL goes with the last backup that
needs it.
"""

from vote.config import Settings
from vote.db import backups, replication
from vote.ops.backup import archive
from vote.ops.backup import manifest as manifests
from vote.ops.backup.folder import Folder

NAME = "vote backup"


def doomed(labels: list[str], verified: list[str], keep: int) -> list[str]:
    """Return which of these labels, newest first, to remove. Pure."""
    kept = set(labels[:keep]) | set(verified[:1])
    return [label for label in labels if label not in kept]


def prune(settings: Settings) -> list[str]:
    """Remove surplus backups and their WAL. Returns the removed labels."""
    folder = Folder.from_settings(settings)
    with folder.being_written():
        with replication.connected(settings.database("backup"), name=NAME) as tx:
            verified = {backup.label for backup in backups.all_backups(tx) if backup.verified_at}
            system = replication.server(tx).system
        labels = folder.labels()
        removed = doomed(labels, [label for label in labels if label in verified], settings.backup_keep)
        for label in removed:
            folder.remove(label)
        kept = [manifests.read_plain(folder.backup(label)) for label in folder.labels()]
        archive.prune(folder.wal(system), [backup for backup in kept if backup.system == system])
        return removed
