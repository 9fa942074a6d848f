"""Make a backup: stream an encrypted base backup, then record a moment with known content.

The moment comes after the base backup, so that a restored server can stop exactly there and be compared.
"""

import contextlib
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from psycopg import IsolationLevel
from psycopg.errors import DeadlockDetected, LockNotAvailable

from vote.config import Settings
from vote.db import backups, installation, replication, shard_positions
from vote.db.pool import Tx
from vote.db.replication import Server
from vote.errors import BackupUnusable, DatabaseUnavailable
from vote.ops.backup import manifest, pg_clients
from vote.ops.backup.encryption import Recipient, chunks_of, recipient_of, seal, sha256
from vote.ops.backup.folder import BASE, UNFINISHED, Folder
from vote.ops.backup.manifest import Manifest
from vote.ops.backup.segments import parse_lsn
from vote.ops.backup.stream import Stream, has_reached, is_streaming
from vote.ops.embedded.disk import sync_names
from vote.ops.progress import Bar

NAME = "vote backup"
STREAM_WAIT_S = 60.0  # the stream is at most a second behind; a stalled one must not block a backup for ever
FREEZE_TRIES = 5
TAIL_BYTES = 16 * 1024
WAL_RANGE = re.compile(rb'"Timeline": (\d+), "Start-LSN": "([0-9A-F/]+)", "End-LSN": "([0-9A-F/]+)"')


def create(settings: Settings, *, quiet: bool = False) -> Manifest:
    """Make a backup and record it in the database. Raises BackupUnusable, ConfigError or DatabaseUnavailable, and then
    leaves nothing that could be mistaken for a backup.
    """
    folder, recipient = Folder.from_settings(settings), recipient_of(settings)
    with folder.being_written(), replication.connected(settings.database("backup"), name=NAME) as tx:
        label = _label(folder)
        backups.begin(tx, label)
        try:
            made = _create(settings, folder, recipient, label, tx, quiet=quiet)
        except (BackupUnusable, DatabaseUnavailable, OSError) as error:
            backups.fail(tx, label, str(error))
            raise
        backups.finish(tx, label, made.positions)
        return made


def _create(settings: Settings, folder: Folder, recipient: Recipient, label: str, tx: Tx, *, quiet: bool) -> Manifest:
    server = replication.server(tx)
    if replication.has_tablespaces(tx):
        raise BackupUnusable("The server has tablespaces, which `vote backup` does not support: use deploy/pgbackrest.")
    started_at = datetime.now(UTC)
    new = folder.base / (label + UNFINISHED)
    new.mkdir(mode=0o700)
    with _streaming(settings, folder, server) as tend:
        base = _stream_base(settings, server, new / BASE, recipient, quiet=quiet)
        known = _known(settings, label)
        _wait_for_stream(folder.stream(server.system), known["timeline"], known["record_lsn"], tend)
    made = Manifest(
        label=label,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        recipient=str(recipient),
        server_version=server.version,
        server_major=server.major,
        system=server.system,
        segment_bytes=server.segment_bytes,
        role=tx.info.user,
        database=tx.info.dbname,
        **(known | base),
    )
    manifest.write(new, made, recipient)
    new.rename(folder.backup(label))
    sync_names(folder.base)
    return made


def _label(folder: Folder) -> str:
    while (label := f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}") in folder.labels():
        time.sleep(0.1)
    return label


@contextlib.contextmanager
def _streaming(settings: Settings, folder: Folder, server: Server) -> Iterator[Callable[[], None]]:
    """Make sure that the backup's WAL is streamed, by a running stream or our own. Yields a function to call meanwhile."""
    if is_streaming(folder, server.system):
        yield lambda: None
        return
    own = Stream(settings, lambda _line: None, synchronous=False)
    with own.running():
        own.tend()
        yield own.tend


def _stream_base(
    settings: Settings, server: Server, target: Path, recipient: Recipient, *, quiet: bool
) -> dict[str, Any]:
    """Write a sealed base backup. Returns the fields of the manifest about it."""
    conninfo, environ = pg_clients.connection(settings.database("backup").url, NAME)
    command = [str(pg_clients.bin_of(server.major) / "pg_basebackup"), "-d", conninfo, "--no-password"]
    command += ["-D", "-", "--format=tar", "--wal-method=none", "--checkpoint=fast", "--manifest-checksums=SHA256"]
    plain_bytes, tail = 0, b""

    def watched(output: IO[bytes] | None) -> Iterator[bytes]:
        nonlocal plain_bytes, tail
        assert output is not None
        for chunk in chunks_of(output):
            plain_bytes += len(chunk)
            tail = (tail + chunk)[-TAIL_BYTES:]
            bar.add(len(chunk))
            yield chunk

    with tempfile.TemporaryFile() as errors, Bar("Base backup", server.bytes, quiet=quiet) as bar:
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=errors) as sender:
            try:
                seal(watched(sender.stdout), target, recipient)
            except BackupUnusable:
                sender.kill()
                raise
        if sender.returncode != 0:
            errors.seek(0)
            raise BackupUnusable(f"pg_basebackup failed: {errors.read().decode(errors='replace').strip()}")
    ranges = WAL_RANGE.findall(tail)  # in the manifest that PostgreSQL writes at the end of the base backup
    if len(ranges) != 1:
        raise BackupUnusable("The base backup does not state where its WAL begins and ends. Try again.")
    timeline, start_lsn, stop_lsn = (value.decode() for value in ranges[0])
    return {
        "timeline": int(timeline),
        "start_lsn": start_lsn,
        "stop_lsn": stop_lsn,
        "base_sha256": sha256(target),
        "base_bytes": target.stat().st_size,
        "base_plain_bytes": plain_bytes,
    }


def _known(settings: Settings, label: str) -> dict[str, Any]:
    """Return the fields of the manifest about the backup's moment.

    Pauses recording for milliseconds, notes the WAL position and takes a snapshot; queries its content afterwards.
    """
    target = settings.database("backup")
    with replication.connected(target, name=NAME) as holder, replication.connected(target, name=NAME) as reader:
        reader.isolation_level = IsolationLevel.REPEATABLE_READ
        for _ in range(FREEZE_TRIES):
            with contextlib.suppress(LockNotAvailable, DeadlockDetected), contextlib.ExitStack() as seen:
                with holder.transaction():
                    backups.freeze(holder)
                    seen.enter_context(reader.transaction())
                    moment = backups.moment(reader)
                    record_lsn = backups.leave_record(holder, label)
                positions = shard_positions.all_positions(reader)
                return {
                    "timeline": moment.timeline,
                    "moment_lsn": moment.lsn,
                    "moment_at": moment.at,
                    "record_lsn": record_lsn,
                    "positions": {shard: (held.epoch, held.position) for shard, held in positions.items()},
                    "facts": backups.facts(reader),
                    "schema_revision": backups.schema_revision(reader),
                    "installation": installation.find(reader),
                }
        raise BackupUnusable("A lock on the database is held for too long to take a snapshot. Try again later.")


def _wait_for_stream(stream: Path, timeline: int, record_lsn: str, tend: Callable[[], None]) -> None:
    deadline = time.monotonic() + STREAM_WAIT_S
    while not has_reached(stream, timeline, parse_lsn(record_lsn)):
        if time.monotonic() > deadline:
            raise BackupUnusable(f"The backup's WAL does not arrive. See {stream / 'pg_receivewal.log'}.")
        tend()
        time.sleep(0.1)
