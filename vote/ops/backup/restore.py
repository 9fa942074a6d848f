"""Restore a database: check and recover everything beside the current data, then set that aside without deleting it."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from vote.config import Settings
from vote.db import backups, replication
from vote.db.pool import Tx
from vote.errors import BackupUnusable, ConfigError, DatabaseUnavailable
from vote.ops.account import SystemUser
from vote.ops.backup import archive
from vote.ops.backup import manifest as manifests
from vote.ops.backup.encryption import identity_of, recipient_of
from vote.ops.backup.folder import Folder
from vote.ops.backup.manifest import Manifest
from vote.ops.backup.recovery_server import recovered
from vote.ops.backup.replay_coverage import check_reach
from vote.ops.backup.unpack import unpack
from vote.ops.backup.verify import remove_data, scratch
from vote.ops.backup.wal_supply import supply
from vote.ops.embedded.disk import sync_names
from vote.ops.embedded.home import locked
from vote.ops.process import ProcessSpec

NAME = "vote restore"
COMPLETE = "restored-by-vote"  # marks a data folder that is ready to replace the current one


def choose(settings: Settings, label: str | None, until: datetime | None) -> Manifest:
    """Return the backup to restore: the named one, else the newest, or the newest before `until`. Raises ConfigError."""
    folder = Folder.from_settings(settings)
    labels = folder.labels() if label is None else [label] if folder.backup(label).is_dir() else []
    available = [manifests.read_plain(folder.backup(name)) for name in labels]
    if not available:
        raise ConfigError(f"There is no backup{f' {label}' if label else ''} in {folder.path}.")
    candidates = [backup for backup in available if until is None or backup.moment_at <= until]
    if not candidates:
        raise ConfigError(
            f"No backup is older than {until}. The oldest is from {available[-1].moment_at:%Y-%m-%d %H:%M:%S} UTC."
        )
    return candidates[0]


def restore(
    settings: Settings,
    manifest: Manifest,
    data: Path,
    account: SystemUser | None,
    *,
    until: datetime | None = None,
    timeline: int | None = None,
    accept_loss: bool = False,
    say: Callable[[str], None],
    quiet: bool = False,
) -> tuple[int, Path | None]:
    """Restore `data` to the end of the WAL, or to a time. The caller holds the locks of the home, so no server runs.

    Returns the number of WAL files, and where the previous data is now; None when there was none.
    Raises BackupUnusable and changes nothing unless key, backup and WAL are intact and the server recovers from them; also
    when the ballot log may not reach back to `until`, so that votes would be lost, unless `accept_loss`.
    """
    folder, identity = Folder.from_settings(settings), identity_of(settings)
    manifest = manifests.read_sealed(folder.backup(manifest.label), identity)
    settle(data)
    new = _new(data)
    remove_data(new, new)
    stream = folder.stream(manifest.system)

    def check(tx: Tx) -> None:
        if missing := backups.missing_journal(tx, manifest.facts):
            raise BackupUnusable(f"The restored journal lacks rows of the backup ({missing}).")
        if until is not None:
            check_reach(tx, settings, manifest.system, until, accept_loss=accept_loss, say=say)

    with contextlib.ExitStack() as held:
        if stream.is_dir():
            held.enter_context(locked(stream))  # no stream may write to the files that we restore from
        room = held.enter_context(scratch(settings))
        say("Checking the WAL …")
        wal = supply(folder, manifest, identity, room / "wal", timeline=timeline, quiet=quiet)
        say(f"Unpacking and checking backup {manifest.label} …")
        unpack(folder.backup(manifest.label), manifest, identity, new, quiet=quiet)
        say("Backup and WAL are intact. Recovering …")
        try:
            _recover(new, room, manifest, account, wal[-1].timeline, until, check)
        except (BackupUnusable, DatabaseUnavailable, psycopg.Error, OSError):
            remove_data(new, new)
            raise
        archive.seal_rest(stream, folder.wal(manifest.system), recipient_of(settings))
    (new / COMPLETE).write_text(manifest.label + "\n")
    sync_names(new)
    aside = None
    if data.exists():
        aside = data.with_name(f"{data.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        data.rename(aside)
    _put(data)
    return len(wal), aside


def settle(data: Path) -> None:
    """Finish a restore that a crash interrupted between its two renames, so that no empty cluster is created there."""
    if not data.exists() and (_new(data) / COMPLETE).exists():
        _put(data)


def refuse_empty_data_dir(part: ProcessSpec, data: Path, settings: Settings) -> ProcessSpec:
    """Return the process spec of a database that refuses to create an empty cluster if there are backups: that would hide
    the loss.
    """

    def prepare() -> None:
        if not data.exists() and Folder.from_settings(settings).labels():
            raise ConfigError(f"{data} is gone, but there are backups. Run `vote restore`, then start again.")
        part.prepare()

    return replace(part, prepare=prepare)


def _recover(
    new: Path,
    room: Path,
    manifest: Manifest,
    account: SystemUser | None,
    timeline: int,
    until: datetime | None,
    check: Callable[[Tx], None],
) -> None:
    goal = {"recovery_target_action": "promote"}
    if until is not None:
        goal["recovery_target_time"] = until.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
    with (
        recovered(new, room, manifest, account, timeline, goal) as server,
        replication.connected(server.target, name=NAME) as tx,
    ):
        check(tx)
        with contextlib.suppress(psycopg.Error):
            # Keeps the WAL for the stream from here on. If it fails, the next backup starts a new chain.
            replication.ensure_slot(tx)
    if server.process.exit_code != 0:
        raise BackupUnusable("The restored server did not shut down cleanly. Nothing was changed; try again.")
    # Settings of the backup's moment would make the restored server wait for a stream, or recover again.
    file = new / "postgresql.auto.conf"
    if file.exists():
        lines = file.read_text("utf-8").splitlines(keepends=True)
        file.write_text(
            "".join(line for line in lines if not line.startswith(("synchronous_standby_names", "recovery_")))
        )


def _new(data: Path) -> Path:
    return data.with_name(data.name + ".restoring")


def _put(data: Path) -> None:
    _new(data).rename(data)
    sync_names(data.parent)
    (data / COMPLETE).unlink(missing_ok=True)
