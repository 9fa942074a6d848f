"""Stream the WAL: pg_receivewal on its own slot, sealing of finished files, and synchronous commits.

While it streams, a commit is acknowledged once its WAL is also on the stream's disk: an account whose creation was
acknowledged is in the archive too. If it lags for GUARD_S, commits stop waiting: backups never stop voting.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from vote.config import DatabaseTarget, Settings
from vote.db import replication
from vote.db.pool import Tx
from vote.db.replication import StreamProgress
from vote.errors import BackupUnusable, ConfigError, DatabaseUnavailable
from vote.ops.backup import archive, pg_clients
from vote.ops.backup.archive import Flushed
from vote.ops.backup.encryption import Recipient, recipient_of
from vote.ops.backup.folder import Folder, private_folder
from vote.ops.backup.segments import parse_lsn
from vote.ops.embedded.home import locked
from vote.ops.process import Process, ProcessSpec
from vote.ops.restart_backoff import RestartBackoff

GUARD_S = 2.0
TIMEOUT_S = 5.0  # for each query about the stream
SENDER_TIMEOUT_S = 10  # the server's, for a silent stream, which blocks the slot until then
MAINTENANCE = "postgres"  # the database for queries about streaming, not the one with the votes
NAME = "vote backup stream"

Report = Callable[[str], None]


class Stream:
    """A supervised stream of one server's WAL. Use it from the main thread: its program dies with the thread that started
    it.
    """

    def __init__(self, settings: Settings, report: Report, *, synchronous: bool) -> None:
        self._target: DatabaseTarget = settings.database("backup")
        self._folder = Folder.from_settings(settings)
        self._recipient: Recipient = recipient_of(settings)
        self._report, self._synchronous = report, synchronous
        self._backoff, self._start_at = RestartBackoff(), 0.0
        self._process: Process | None = None
        self._kept_up_at, self._written = time.monotonic(), 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Stream inside the block. Raises ConfigError when another process already streams this server."""
        with self._connected() as tx:
            server = replication.server(tx)
            self.wal, self.stream = self._folder.wal(server.system), self._folder.stream(server.system)
            self._folder.prepare()
            private_folder(self.wal)
            private_folder(self.stream)
            with locked(self.stream):
                self._prepare(tx, server)
                self._process = Process(self._part(server))
                self._prefix, self._segment_bytes = archive.Prefix(self.stream), server.segment_bytes
                try:
                    yield
                finally:
                    self._stop()

    def tend(self) -> None:
        """Restart the stream if it died, seal finished files, and record its progress. Raises DatabaseUnavailable."""
        assert self._process is not None
        now = time.monotonic()
        if not self._process.is_alive() and now >= self._start_at:
            self._start_at = now + self._backoff.delay_s(self._process.alive_s)
            self._process.start()
        with self._connected() as tx:
            progress = replication.progress(tx)
            if self._keeps_up(progress):
                self._kept_up_at = now
            self._note(progress)
            self._update_commits(tx, progress, now)
            if progress.streamed is None and replication.ensure_slot(tx):
                self._report(
                    "The server removed WAL before it was streamed: older backups end there. Make a new backup."
                )
                archive.seal_rest(self.stream, self.wal, self._recipient)
        archive.seal_complete(self.stream, self.wal, self._recipient)

    def _note(self, progress: StreamProgress) -> None:
        if progress.streamed is not None:
            sha256 = self._prefix.sha256(progress.timeline, parse_lsn(progress.streamed), self._segment_bytes)
            if sha256 is not None:
                archive.note(self.stream, Flushed(progress.timeline, progress.streamed, sha256))

    def _keeps_up(self, progress: StreamProgress) -> bool:
        """Return whether it has all that the server had written at the previous check. A frozen program still counts as
        streaming.
        """
        wanted, self._written = self._written, parse_lsn(progress.written)
        return progress.streamed is not None and parse_lsn(progress.streamed) >= wanted

    def _update_commits(self, tx: Tx, progress: StreamProgress, now: float) -> None:
        if self._synchronous and now == self._kept_up_at:
            replication.wait_for_stream(tx, True)
        elif now - self._kept_up_at > GUARD_S:
            if self._synchronous:
                replication.wait_for_stream(tx, False)
            if progress.streamed is not None and self._process is not None:
                self._report("The WAL stream does not keep up. Restarting it.")
                self._process.kill()
                self._kept_up_at = now

    def _prepare(self, tx: Tx, server: replication.Server) -> None:
        is_new = replication.ensure_slot(tx)
        last = archive.noted(self.stream)
        if is_new or (last is not None and last.timeline < server.timeline):
            archive.seal_rest(self.stream, self.wal, self._recipient)

    def _part(self, server: replication.Server) -> ProcessSpec:
        server_settings = {"wal_sender_timeout": f"{SENDER_TIMEOUT_S}s"}
        conninfo, environ = pg_clients.connection(self._target.url, replication.STREAM, **server_settings)
        program = pg_clients.bin_of(server.major) / "pg_receivewal"
        command = [str(program), "-D", str(self.stream), "-d", conninfo, "-S", replication.SLOT]
        command += ["--synchronous", "--no-loop", "--no-password"]
        return ProcessSpec(
            name="pg_receivewal", command=command, environ=environ, log=self.stream / "pg_receivewal.log"
        )

    def _stop(self) -> None:
        if self._synchronous:
            with contextlib.suppress(DatabaseUnavailable), self._connected() as tx:
                replication.wait_for_stream(tx, False)
        if self._process is not None:
            self._process.stop()
        with contextlib.suppress(BackupUnusable):
            archive.seal_complete(self.stream, self.wal, self._recipient)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Tx]:
        with replication.connected(self._target, name=NAME, database=MAINTENANCE, timeout_s=TIMEOUT_S) as tx:
            yield tx


def is_streaming(folder: Folder, system: str) -> bool:
    """Return whether a process streams this server into the folder."""
    stream = folder.stream(system)
    if not stream.is_dir():
        return False
    try:
        with locked(stream):
            return False
    except ConfigError:
        return True


def has_reached(stream: Path, timeline: int, lsn: int) -> bool:
    """Return whether the stream has the WAL up to `lsn` on its disk."""
    last = archive.noted(stream)
    return last is not None and last.timeline == timeline and parse_lsn(last.lsn) >= lsn
