"""Prove a backup: restore it into a scratch server, stop at the backup's moment, and compare every fact."""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from psycopg import IsolationLevel

from vote.config import Settings
from vote.db import backups, replication
from vote.db.backups import Facts
from vote.errors import BackupUnusable, ConfigError
from vote.ops.account import SystemUser, server_account
from vote.ops.backup import manifest as manifests
from vote.ops.backup.encryption import identity_of
from vote.ops.backup.folder import Folder
from vote.ops.backup.manifest import Manifest
from vote.ops.backup.recovery_server import Recovered, recovered
from vote.ops.backup.unpack import unpack
from vote.ops.backup.wal_supply import supply
from vote.ops.embedded.home import DATA_OF_ROOT
from vote.ops.embedded.stale_servers import end_servers_in

NAME = "vote backup verify"


class Verified(NamedTuple):
    """The result of a verification, and how many seconds it took."""

    manifest: Manifest
    wal_files: int
    seconds: float


def verify(settings: Settings, label: str | None = None, *, quiet: bool = False) -> Verified:
    """Restore a backup (default: the newest) into a scratch server, compare it with its manifest, and record the verdict.

    Raises BackupUnusable when it is not intact; the time of an earlier verification then stays.
    """
    folder, began = Folder.from_settings(settings), time.monotonic()
    with folder.being_written():
        label = label or _newest(folder)
        try:
            manifest, files = check(settings, folder, label, quiet=quiet)
        except BackupUnusable as error:
            with contextlib.suppress(ConfigError), replication.connected(settings.database("backup"), name=NAME) as tx:
                backups.fail(tx, label, error.detail)
            raise
        done = Verified(manifest, files, time.monotonic() - began)
        with replication.connected(settings.database("backup"), name=NAME) as tx:
            verdict = f"restored and compared in {timedelta(seconds=round(done.seconds))}"
            backups.mark_verified(
                tx, label, started_at=manifest.started_at, positions=manifest.positions, verdict=verdict
            )
        return done


def check(settings: Settings, folder: Folder, label: str, *, quiet: bool) -> tuple[Manifest, int]:
    """Restore and compare, without recording the verdict. Raises BackupUnusable."""
    identity = identity_of(settings)
    manifest = manifests.read_sealed(folder.backup(label), identity)
    with scratch(settings) as (room, account):
        wal = supply(
            folder, manifest, identity, room / "wal", account, timeline=manifest.timeline, to_note=True, quiet=quiet
        )
        unpack(folder.backup(label), manifest, identity, room / "postgres", account, quiet=quiet)
        goal = {
            "recovery_target_lsn": manifest.moment_lsn,
            "recovery_target_inclusive": "off",
            "recovery_target_action": "pause",
        }
        log = room / "postgres.log"
        with recovered(room / "postgres", room / "wal", manifest, account, log, goal, manifest.timeline) as server:
            _compare(server, manifest)
    return manifest, wal.files


def _compare(server: Recovered, manifest: Manifest) -> None:
    with replication.connected(server.target(), name=NAME) as tx:
        tx.isolation_level = IsolationLevel.REPEATABLE_READ
        with tx.transaction():
            compare(manifest.facts, backups.facts(tx))


def compare(expected: Facts, restored: Facts) -> None:
    """Raise BackupUnusable naming the first difference, if there is one."""
    for subject in sorted(expected.keys() | restored.keys()):
        wanted, actual = expected.get(subject), restored.get(subject)
        if wanted != actual:
            raise BackupUnusable(
                f"The restored database differs from the manifest: {subject} (expected {wanted}, found {actual})."
            )


@contextlib.contextmanager
def scratch(settings: Settings) -> Iterator[tuple[Path, SystemUser | None]]:
    """Yield a private folder for a temporary server. First ends a server that a crash left there, and empties the folder."""
    account = server_account()
    home = settings.vote_home.absolute()
    name = "scratch-" + hashlib.sha256(os.fsencode(Folder.from_settings(settings).path)).hexdigest()[:12]
    room = (DATA_OF_ROOT if account else home) / name
    _clear(room)
    room.mkdir(mode=0o700, parents=True)
    try:
        if account:
            account.give(room)
        yield room, account
    finally:
        _clear(room)


def _clear(room: Path) -> None:
    if room.exists():
        end_servers_in(room / "postgres")
        shutil.rmtree(room)


def _newest(folder: Folder) -> str:
    labels = folder.labels()
    if not labels:
        raise ConfigError(f"There is no backup in {folder.path}.")
    return labels[0]
