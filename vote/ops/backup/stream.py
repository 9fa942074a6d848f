"""Stream the WAL: pg_receivewal on its own slot, sealing of finished files, and synchronous commits.

While it streams, a commit is acknowledged once its WAL is also on the stream's disk: an account whose creation was
acknowledged is in the archive too. If it lags for GUARD_S, commits stop waiting: backups never stop voting.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from vote.config import Settings
from vote.db import replication
from vote.db.pool import Tx
from vote.db.replication import Server, StreamProgress
from vote.errors import BackupUnusable, ConfigError, DatabaseUnavailable
from vote.ops.backup import archive, pg_clients
from vote.ops.backup.encryption import recipient_of
from vote.ops.backup.folder import Folder, private_folders
from vote.ops.backup.segments import parse_lsn
from vote.ops.embedded.home import locked
from vote.ops.process import Process, ProcessSpec
from vote.ops.restart_backoff import RestartBackoff

GUARD_S = 2.0
TIMEOUT_S = 5.0  # for each query about the stream
SENDER_TIMEOUT_S = 10  # the server's, for a silent stream, which blocks the slot until then
MAINTENANCE = "postgres"  # the database for queries about streaming, not the one with the votes
NAME = "vote backup stream"


class Stream:
    """A supervised stream of one server's WAL. Use it from the main thread: its program dies with the thread that started
    it.
    """

    def __init__(self, settings: Settings, report: Callable[[str], None], *, synchronous: bool) -> None:
        self._target = settings.database("backup")
        self._folder = Folder.from_settings(settings)
        self._recipient = recipient_of(settings)
        self._report, self._synchronous = report, synchronous
        self._backoff, self._start_at = RestartBackoff(), 0.0
        self._process: Process | None = None
        self._kept_up_at, self._written = time.monotonic(), 0
        self.is_up = False  # as of the last `tend`

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Stream inside the block. Raises ConfigError when another process already streams this server."""
        with self._connected() as tx:
            server = replication.server(tx)
            self.wal, self.stream = self._folder.wal(server.system), self._folder.stream(server.system)
            private_folders(self._folder.path, self.wal.parent, self.wal, self.stream)
            with locked(self.stream):
                is_new, last = replication.ensure_slot(tx), archive.noted(self.stream)
                if is_new or (last is not None and last.timeline < server.timeline):
                    archive.seal_rest(self.stream, self.wal, self._recipient)
                self._process = Process(self._part(server))
                self._note = archive.Note(self.stream, server.segment_bytes)
                try:
                    yield
                finally:
                    self._stop(self._process)

    def tend(self) -> None:
        """Restart the stream if it died, seal finished files, and record its progress. Raises DatabaseUnavailable."""
        assert self._process is not None
        now = time.monotonic()
        if not self._process.is_alive() and now >= self._start_at:
            self._start_at = now + self._backoff.delay_s(self._process.alive_s)
            self._process.start()
        with self._connected() as tx:
            progress = replication.progress(tx)
            self.is_up = progress.streamed is not None
            if progress.streamed is not None:
                self._note.write(progress.timeline, progress.streamed)
            self._update_commits(tx, self._process, progress, now)
            if progress.streamed is None and replication.ensure_slot(tx):
                self._report(
                    "The server removed WAL before it was streamed: older backups end there. Make a new backup."
                )
                archive.seal_rest(self.stream, self.wal, self._recipient)
        archive.seal_complete(self.stream, self.wal, self._recipient)

    def _update_commits(self, tx: Tx, process: Process, progress: StreamProgress, now: float) -> None:
        # It keeps up when it has all that the server had written at the previous check. A frozen program still counts as
        # streaming.
        wanted, self._written = self._written, parse_lsn(progress.written)
        if progress.streamed is not None and parse_lsn(progress.streamed) >= wanted:
            self._kept_up_at = now
            if self._synchronous:
                replication.wait_for_stream(tx, True)
        elif now - self._kept_up_at > GUARD_S:
            if self._synchronous:
                replication.wait_for_stream(tx, False)
            if progress.streamed is not None:
                self._report("The WAL stream does not keep up. Restarting it.")
                process.kill()
                self._kept_up_at = now

    def _part(self, server: Server) -> ProcessSpec:
        server_settings = {"wal_sender_timeout": f"{SENDER_TIMEOUT_S}s"}
        conninfo, environ = pg_clients.connection(self._target.url, replication.STREAM, **server_settings)
        program = pg_clients.bin_of(server.major) / "pg_receivewal"
        command = [str(program), "-D", str(self.stream), "-d", conninfo, "-S", replication.SLOT]
        command += ["--synchronous", "--no-loop", "--no-password"]
        return ProcessSpec(
            name="pg_receivewal", command=command, environ=environ, log=self.stream / "pg_receivewal.log"
        )

    def _stop(self, process: Process) -> None:
        if self._synchronous:
            with contextlib.suppress(DatabaseUnavailable), self._connected() as tx:
                replication.wait_for_stream(tx, False)
        process.stop()
        with contextlib.suppress(BackupUnusable):
            archive.seal_complete(self.stream, self.wal, self._recipient)

    def _connected(self) -> AbstractContextManager[Tx]:
        return replication.connected(self._target, name=NAME, database=MAINTENANCE, timeout_s=TIMEOUT_S)


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
