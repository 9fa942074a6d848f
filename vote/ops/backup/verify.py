"""Prove a backup: restore it into a scratch server, stop at the backup's moment, and compare every fact."""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from psycopg import IsolationLevel

from vote.config import Settings
from vote.db import backups, replication
from vote.db.backups import Facts
from vote.errors import BackupUnusable, ConfigError
from vote.ops.account import server_account
from vote.ops.backup import manifest as manifests
from vote.ops.backup.encryption import identity_of
from vote.ops.backup.folder import Folder
from vote.ops.backup.manifest import Manifest
from vote.ops.backup.recovery_server import recovered
from vote.ops.backup.unpack import unpack
from vote.ops.backup.wal_supply import supply
from vote.ops.embedded.home import DATA_OF_ROOT
from vote.ops.embedded.stale_servers import end_servers_in

NAME = "vote backup verify"


def verify(settings: Settings, label: str | None = None, *, quiet: bool = False) -> tuple[Manifest, float]:
    """Restore a backup (default: the newest) into a scratch server, compare it with its manifest, and record the verdict.

    Returns its manifest, and how many seconds it took. Raises BackupUnusable when it is not intact; the time of an earlier
    verification then stays.
    """
    folder, began = Folder.from_settings(settings), time.monotonic()
    with folder.being_written():
        label = label or next(iter(folder.labels()), None)
        if label is None:
            raise ConfigError(f"There is no backup in {folder.path}.")
        try:
            manifest = _restore_and_compare(settings, folder, label, quiet=quiet)
        except BackupUnusable as error:
            with contextlib.suppress(ConfigError), replication.connected(settings.database("backup"), name=NAME) as tx:
                backups.fail(tx, label, error.detail)
            raise
        seconds = time.monotonic() - began
        with replication.connected(settings.database("backup"), name=NAME) as tx:
            verdict = f"restored and compared in {timedelta(seconds=round(seconds))}"
            backups.mark_verified(
                tx, label, started_at=manifest.started_at, positions=manifest.positions, verdict=verdict
            )
        return manifest, seconds


def _restore_and_compare(settings: Settings, folder: Folder, label: str, *, quiet: bool) -> Manifest:
    identity = identity_of(settings)
    manifest = manifests.read_sealed(folder.backup(label), identity)
    with scratch(settings) as room:
        data = room / "postgres"
        supply(folder, manifest, identity, room / "wal", timeline=manifest.timeline, to_note=True, quiet=quiet)
        unpack(folder.backup(label), manifest, identity, data, quiet=quiet)
        goal = {
            "recovery_target_lsn": manifest.moment_lsn,
            "recovery_target_inclusive": "off",
            "recovery_target_action": "pause",
        }
        with (
            recovered(data, room, manifest, server_account(), manifest.timeline, goal) as server,
            replication.connected(server.target, name=NAME) as tx,
        ):
            tx.isolation_level = IsolationLevel.REPEATABLE_READ
            with tx.transaction():
                compare(manifest.facts, backups.facts(tx))
    return manifest


def compare(expected: Facts, restored: Facts) -> None:
    """Raise BackupUnusable naming the first difference, if there is one."""
    for subject in sorted(expected.keys() | restored.keys()):
        wanted, actual = expected.get(subject), restored.get(subject)
        if wanted != actual:
            raise BackupUnusable(
                f"The restored database differs from the manifest: {subject} (expected {wanted}, found {actual})."
            )


@contextlib.contextmanager
def scratch(settings: Settings) -> Iterator[Path]:
    """Yield a private folder for a temporary server. First ends a server that a crash left there, and empties the folder."""
    home = DATA_OF_ROOT if server_account() else settings.vote_home.absolute()
    room = home / f"scratch-{hashlib.sha256(os.fsencode(Folder.from_settings(settings).path)).hexdigest()[:12]}"
    remove_data(room, room / "postgres")
    room.mkdir(mode=0o700, parents=True)
    try:
        yield room
    finally:
        remove_data(room, room / "postgres")


def remove_data(folder: Path, data: Path) -> None:
    """Remove a folder, after ending a server that works in its `data`."""
    if folder.exists():
        end_servers_in(data)
        shutil.rmtree(folder)
