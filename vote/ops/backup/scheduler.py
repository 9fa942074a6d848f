"""`vote backup keep`: stream the WAL and make backups on schedule, until stopped.

Errors are logged and retried; voting never waits for them.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

import structlog

from vote import logs
from vote.config import Settings
from vote.errors import BackupUnusable, ConfigError, DatabaseUnavailable
from vote.ops.backup import manifest as manifests
from vote.ops.backup.encryption import has_identity
from vote.ops.backup.folder import Folder
from vote.ops.backup.schedule import next_due
from vote.ops.backup.stream import Stream

TICK_S = 1.0
RETRY_S = 2.0

logger = structlog.get_logger()


def may_verify(settings: Settings) -> bool:
    """Return whether this machine can prove backups, as it has the private key."""
    return has_identity(settings)


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises ConfigError for unsuitable settings."""
    logs.configure("backup")
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    scheduler = BackupScheduler(settings, _daily_command())
    try:
        while not stop.is_set():
            with contextlib.suppress(DatabaseUnavailable):
                _stream(settings, scheduler, stop)
            stop.wait(RETRY_S)
    finally:
        scheduler.end()


def _stream(settings: Settings, scheduler: "BackupScheduler", stop: threading.Event) -> None:
    stream = Stream(
        settings,
        lambda problem: logger.error("WAL stream interrupted", problem=problem),
        synchronous=settings.backup_sync,
    )
    with stream.running():
        while not stop.is_set():
            try:
                stream.tend()
            except (DatabaseUnavailable, BackupUnusable, OSError) as error:
                logger.warning("WAL stream failed", problem=str(error).strip())
            scheduler.tend(datetime.now(UTC))
            stop.wait(TICK_S)


class BackupScheduler:
    """A scheduler that makes due backups in a separate process, one at a time."""

    def __init__(
        self, settings: Settings, start: Callable[[], subprocess.Popen[str]], dice: random.Random | None = None
    ) -> None:
        self._folder = Folder.from_settings(settings)
        self._every = timedelta(hours=settings.backup_every_hours)
        self._start, self._dice = start, dice or random.Random()  # noqa: S311  # only for jitter
        self._under_way: subprocess.Popen[str] | None = None
        self._due: datetime | None = None

    def tend(self, now: datetime) -> None:
        """Start a due backup, and log how the previous one ended."""
        if self._under_way is not None:
            if self._under_way.poll() is None:
                return
            self._ended(now, self._under_way)
            self._under_way = None
        if self._due is None:
            self._due = self._next(now, None)
        if now >= self._due:
            self._under_way = self._start()

    def end(self) -> None:
        """Stop a running backup, which leaves nothing that could be mistaken for a backup."""
        if self._under_way is not None and self._under_way.poll() is None:
            self._under_way.terminate()
            self._under_way.communicate()

    def _ended(self, now: datetime, process: subprocess.Popen[str]) -> None:
        output, _ = process.communicate()
        if process.returncode == 0:
            logger.info("backup made", output=" ".join(output.split()))
        else:
            logger.error("backup failed", output=output.strip()[-2000:])
        self._due = self._next(now, None if process.returncode == 0 else now)

    def _next(self, now: datetime, failed_at: datetime | None) -> datetime:
        newest = None
        with contextlib.suppress(BackupUnusable, ConfigError):
            labels = self._folder.labels()
            newest = manifests.read_plain(self._folder.backup(labels[0])).moment_at if labels else None
        return next_due(now, newest=newest, failed_at=failed_at, every=self._every, dice=self._dice)


def _daily_command() -> Callable[[], subprocess.Popen[str]]:
    command = [sys.executable, str(Path(sys.argv[0]).absolute()), "backup", "daily"]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            env=os.environ.copy(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start
