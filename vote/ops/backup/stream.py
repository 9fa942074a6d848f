"""Keeps the WAL coming: pg_receivewal on a slot of its own, what it finished sealed, and commits told to wait for it.

While it streams, a commit is answered once its WAL is on the disk of the stream too: an account that somebody was told
about is in the archive as well. When it does not keep up for GUARD_S, commits stop waiting: backups never stop voting.
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
from vote.ops.backoff import Backoff
from vote.ops.backup import archive, pg_clients
from vote.ops.backup.archive import Flushed
from vote.ops.backup.encryption import Recipient, recipient_of
from vote.ops.backup.folder import Folder, private_folder
from vote.ops.backup.segments import parse_lsn
from vote.ops.embedded.home import locked
from vote.ops.process import Process, ProcessSpec

GUARD_S = 2.0
TIMEOUT_S = 5.0  # for each answer of the server about its stream
SENDER_TIMEOUT_S = 10  # the server's, for a stream that says nothing: until then nobody else can have its slot
MAINTENANCE = "postgres"  # the database to ask about streaming: not the one of the votes
NAME = "vote backup stream"

Report = Callable[[str], None]


class Stream:
    """One life of the stream of one server. Use it from the main thread: its program dies with the thread that starts it."""

    def __init__(self, settings: Settings, report: Report, *, synchronous: bool) -> None:
        self._target: DatabaseTarget = settings.database("backup")
        self._folder = Folder.from_settings(settings)
        self._recipient: Recipient = recipient_of(settings)
        self._report, self._synchronous = report, synchronous
        self._backoff, self._start_at = Backoff(), 0.0
        self._process: Process | None = None
        self._well_at, self._written = time.monotonic(), 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Stream inside the block. Raises ConfigError when another process streams for this server."""
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
        """Start it again when it died, seal what is finished, note how far it is. Raises DatabaseUnavailable."""
        assert self._process is not None
        now = time.monotonic()
        if not self._process.is_alive() and now >= self._start_at:
            self._start_at = now + self._backoff.delay_s(self._process.alive_s)
            self._process.start()
        with self._connected() as tx:
            at = replication.progress(tx)
            if self._keeps_up(at):
                self._well_at = now
            self._note(at)
            self._let_wait(tx, at, now)
            if at.streamed is None and replication.ensure_slot(tx):
                self._report("The server let go of WAL that was not streamed: older backups end here, make a new one.")
                archive.seal_rest(self.stream, self.wal, self._recipient)
        archive.seal_complete(self.stream, self.wal, self._recipient)

    def _note(self, at: StreamProgress) -> None:
        if at.streamed is not None:
            sha256 = self._prefix.sha256(at.timeline, parse_lsn(at.streamed), self._segment_bytes)
            if sha256 is not None:
                archive.note(self.stream, Flushed(at.timeline, at.streamed, sha256))

    def _keeps_up(self, at: StreamProgress) -> bool:
        """Whether it has all that the server had written at the last look. A frozen program still counts as streaming."""
        wanted, self._written = self._written, parse_lsn(at.written)
        return at.streamed is not None and parse_lsn(at.streamed) >= wanted

    def _let_wait(self, tx: Tx, at: StreamProgress, now: float) -> None:
        if self._synchronous and now == self._well_at:
            replication.wait_for_stream(tx, True)
        elif now - self._well_at > GUARD_S:
            if self._synchronous:
                replication.wait_for_stream(tx, False)
            if at.streamed is not None and self._process is not None:
                self._report("The stream does not keep up; starting it again.")
                self._process.kill()
                self._well_at = now

    def _prepare(self, tx: Tx, server: replication.Server) -> None:
        made = replication.ensure_slot(tx)
        last = archive.noted(self.stream)
        if made or (last is not None and last.timeline < server.timeline):
            archive.seal_rest(self.stream, self.wal, self._recipient)

    def _part(self, server: replication.Server) -> ProcessSpec:
        how = {"wal_sender_timeout": f"{SENDER_TIMEOUT_S}s"}
        conninfo, environ = pg_clients.connection(self._target.url, replication.STREAM, **how)
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
    """Whether some process streams this server into the folder."""
    stream = folder.stream(system)
    if not stream.is_dir():
        return False
    try:
        with locked(stream):
            return False
    except ConfigError:
        return True


def has_reached(stream: Path, timeline: int, lsn: int) -> bool:
    """Whether the stream has the WAL up to a place on its disk."""
    last = archive.noted(stream)
    return last is not None and last.timeline == timeline and parse_lsn(last.lsn) >= lsn
