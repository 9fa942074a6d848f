"""Which backups stay: the newest ones, and always the newest that was verified. WAL goes with the last one that needs it."""

from vote.config import Settings
from vote.db import backups, replication
from vote.ops.backup import archive
from vote.ops.backup import manifest as manifests
from vote.ops.backup.folder import Folder

NAME = "vote backup"


def doomed(labels: list[str], verified: list[str], keep: int) -> list[str]:
    """Of these backups, newest first, those that go. Pure."""
    kept = set(labels[:keep]) | set(verified[:1])
    return [label for label in labels if label not in kept]


def prune(settings: Settings) -> list[str]:
    """Remove what is too much. Returns the labels that went."""
    folder = Folder.from_settings(settings)
    with folder.being_written():
        with replication.connected(settings.database("backup"), name=NAME) as tx:
            verified = {one.label for one in backups.all_backups(tx) if one.verified_at}
            system = replication.server(tx).system
        labels = folder.labels()
        gone = doomed(labels, [label for label in labels if label in verified], settings.backup_keep)
        for label in gone:
            folder.remove(label)
        kept = [manifests.read_plain(folder.backup(label)) for label in folder.labels()]
        archive.prune(folder.wal(system), [one for one in kept if one.system == system])
        return gone
