"""`vote backup keep`: streams the WAL and backs up by itself, until told to stop. What goes wrong is told and tried again;
voting never waits for it.
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
    """Whether this machine can prove backups: it has the private key."""
    return has_identity(settings)


def run(settings: Settings) -> None:
    """Keep until SIGTERM or SIGINT. Raises ConfigError when the settings do not fit."""
    logs.configure("backup")
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    keeper = BackupScheduler(settings, _daily_of_command())
    try:
        while not stop.is_set():
            with contextlib.suppress(DatabaseUnavailable):
                _stream(settings, keeper, stop)
            stop.wait(RETRY_S)
    finally:
        keeper.end()


def _stream(settings: Settings, keeper: "BackupScheduler", stop: threading.Event) -> None:
    stream = Stream(settings, lambda what: logger.error("stream", what=what), synchronous=settings.backup_sync)
    with stream.running():
        while not stop.is_set():
            try:
                stream.tend()
            except (DatabaseUnavailable, BackupUnusable, OSError) as error:
                logger.warning("stream", what=str(error).strip())
            keeper.tend(datetime.now(UTC))
            stop.wait(TICK_S)


class BackupScheduler:
    """Makes backups when they are due, in a process of their own, one at a time."""

    def __init__(
        self, settings: Settings, start: Callable[[], subprocess.Popen[str]], dice: random.Random | None = None
    ) -> None:
        self._folder = Folder.from_settings(settings)
        self._every = timedelta(hours=settings.backup_every_hours)
        self._start, self._dice = start, dice or random.Random()  # noqa: S311  # only so that not all begin at once
        self._under_way: subprocess.Popen[str] | None = None
        self._due: datetime | None = None

    def tend(self, now: datetime) -> None:
        """Start what is due, tell how what was under way has ended."""
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
        """End what is under way; it leaves nothing that could be taken for a backup."""
        if self._under_way is not None and self._under_way.poll() is None:
            self._under_way.terminate()
            self._under_way.communicate()

    def _ended(self, now: datetime, process: subprocess.Popen[str]) -> None:
        told, _ = process.communicate()
        if process.returncode == 0:
            logger.info("backup", what=" ".join(told.split()))
        else:
            logger.error("backup failed", what=told.strip()[-2000:])
        self._due = self._next(now, None if process.returncode == 0 else now)

    def _next(self, now: datetime, failed_at: datetime | None) -> datetime:
        newest = None
        with contextlib.suppress(BackupUnusable, ConfigError):
            labels = self._folder.labels()
            newest = manifests.read_plain(self._folder.backup(labels[0])).moment_at if labels else None
        return next_due(now, newest=newest, failed_at=failed_at, every=self._every, dice=self._dice)


def _daily_of_command() -> Callable[[], subprocess.Popen[str]]:
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
