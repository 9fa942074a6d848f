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
from typing import NamedTuple

from psycopg import IsolationLevel
from psycopg.errors import DeadlockDetected, LockNotAvailable

from vote.config import Settings
from vote.db import backups, installation, replication, shard_positions
from vote.db.backups import Facts, Moment
from vote.db.pool import Tx
from vote.db.replication import Server
from vote.errors import BackupUnusable, DatabaseUnavailable
from vote.ops.backup import manifest, pg_clients
from vote.ops.backup.encryption import Recipient, Sealed, Source, recipient_of, seal
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


class _Streamed(NamedTuple):
    """What pg_basebackup reported about the base backup."""

    sealed: Sealed
    start_lsn: str
    stop_lsn: str
    timeline: int


class _Known(NamedTuple):
    """The content of the database at the backup's moment."""

    moment: Moment
    record_lsn: str
    positions: dict[int, tuple[str | None, int]]
    facts: Facts
    revision: str
    installation: str | None


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
        _wait_for_stream(folder.stream(server.system), known, tend)
    role, database = tx.info.user, tx.info.dbname
    made = _manifest(label, started_at, recipient, server, base, known, role=role, database=database)
    manifest.write(new, made, recipient)
    new.rename(folder.backup(label))
    sync_names(folder.base)
    return made


def _manifest(
    label: str,
    started_at: datetime,
    recipient: Recipient,
    server: Server,
    base: _Streamed,
    known: _Known,
    **session: str,
) -> Manifest:
    return Manifest(
        label=label,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        recipient=str(recipient),
        server_version=server.version,
        server_major=server.major,
        system=server.system,
        segment_bytes=server.segment_bytes,
        schema_revision=known.revision,
        installation=known.installation,
        timeline=base.timeline,
        start_lsn=base.start_lsn,
        stop_lsn=base.stop_lsn,
        moment_lsn=known.moment.lsn,
        moment_at=known.moment.at,
        record_lsn=known.record_lsn,
        positions=known.positions,
        facts=known.facts,
        base_sha256=base.sealed.sha256,
        base_bytes=base.sealed.bytes,
        base_plain_bytes=base.sealed.plain_bytes,
        **session,
    )


def _label(folder: Folder) -> str:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    taken = set(folder.labels())
    return next(label for n in range(1000) if (label := f"{now}-{n}" if n else now) not in taken)


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


def _stream_base(settings: Settings, server: Server, target: Path, recipient: Recipient, *, quiet: bool) -> _Streamed:
    conninfo, environ = pg_clients.connection(settings.database("backup").url, NAME)
    command = [str(pg_clients.bin_of(server.major) / "pg_basebackup"), "-d", conninfo, "--no-password"]
    command += ["-D", "-", "--format=tar", "--wal-method=none", "--checkpoint=fast", "--manifest-checksums=SHA256"]
    with tempfile.TemporaryFile() as errors, Bar("Base backup", server.bytes, quiet=quiet) as bar:
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=errors) as sender:
            assert sender.stdout is not None
            source = _Tail(sender.stdout)
            try:
                sealed = seal(source, target, recipient, bar.add)
            except BackupUnusable:
                sender.kill()
                raise
        if sender.returncode != 0:
            errors.seek(0)
            raise BackupUnusable(f"pg_basebackup failed: {errors.read().decode(errors='replace').strip()}")
    ranges = WAL_RANGE.findall(source.tail)
    if len(ranges) != 1:
        raise BackupUnusable("The base backup does not state where its WAL begins and ends. Try again.")
    timeline, start, stop = (value.decode() for value in ranges[0])
    return _Streamed(sealed, start, stop, int(timeline))


class _Tail:
    """A reader that keeps the end of the stream, where PostgreSQL's own manifest names the WAL that the backup needs."""

    def __init__(self, source: Source) -> None:
        self._source, self.tail = source, b""

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        return data


def _known(settings: Settings, label: str) -> _Known:
    """Pause recording for milliseconds, note the WAL position and take a snapshot; query its content afterwards."""
    target = settings.database("backup")
    with replication.connected(target, name=NAME) as holder, replication.connected(target, name=NAME) as reader:
        reader.isolation_level = IsolationLevel.REPEATABLE_READ
        for attempt in range(1, FREEZE_TRIES + 1):
            try:
                with contextlib.ExitStack() as seen:
                    with holder.transaction():
                        backups.freeze(holder)
                        seen.enter_context(reader.transaction())
                        moment = backups.moment(reader)
                        record_lsn = backups.leave_record(holder, label)
                    return _Known(
                        moment,
                        record_lsn,
                        _positions(reader),
                        backups.facts(reader),
                        backups.schema_revision(reader),
                        installation.find(reader),
                    )
            except (LockNotAvailable, DeadlockDetected) as error:
                if attempt == FREEZE_TRIES:
                    raise BackupUnusable(
                        "A lock on the database is held for too long to take a snapshot. Try again later."
                    ) from error
    raise AssertionError("unreachable")


def _positions(tx: Tx) -> dict[int, tuple[str | None, int]]:
    return {shard: (held.epoch, held.position) for shard, held in shard_positions.all_positions(tx).items()}


def _wait_for_stream(stream: Path, known: _Known, tend: Callable[[], None]) -> None:
    deadline = time.monotonic() + STREAM_WAIT_S
    while not has_reached(stream, known.moment.timeline, parse_lsn(known.record_lsn)):
        if time.monotonic() > deadline:
            raise BackupUnusable(f"The backup's WAL does not arrive. See {stream / 'pg_receivewal.log'}.")
        tend()
        time.sleep(0.1)
