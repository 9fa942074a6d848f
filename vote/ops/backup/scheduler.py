"""`vote backup keep`: stream the WAL and make backups on schedule, until stopped.

Errors are logged and retried; voting never waits for them.
"""

import contextlib
import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from vote import logs
from vote.config import Settings
from vote.db.statement_log import STATEMENTS
from vote.errors import BackupUnusable, ConfigError, DatabaseUnavailable
from vote.health_server import HealthServer
from vote.metrics.backup import WAL_STREAM_UP
from vote.metrics.exposition import MetricsPage
from vote.metrics.process import ProcessCollector
from vote.ops.backup import manifest as manifests
from vote.ops.backup.folder import Folder
from vote.ops.backup.stream import Stream
from vote.production_rules import SIGNING_SECRETS
from vote.secret_ages import SecretAgeCollector
from vote.secret_watch import SecretWatch

TICK_S = 1.0
RETRY_S = 2.0
FIRST = timedelta(minutes=1)  # after a start without a backup: once the stack has settled
AGAIN = timedelta(minutes=15)  # after a failure: soon, but not at once
JITTER = 0.1
REASON_MAX_CHARS = 2_000

logger = structlog.get_logger()


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises ConfigError for unsuitable settings."""
    logs.configure("backup")
    STATEMENTS.configure(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    scheduler, secret_watch = BackupScheduler(settings, _start_daily), SecretWatch(settings)
    page = MetricsPage(
        ProcessCollector("backup", commit=settings.vote_commit),
        SecretAgeCollector(settings, without=SIGNING_SECRETS),  # the web's; this part has some that open nothing
    )
    health = HealthServer(settings.host, settings.metrics_port, metrics=page.text, networks=settings.metrics_networks)
    logger.info("started", settings=settings.names_given)
    secret_watch.start()
    try:
        while not stop.is_set():
            with contextlib.suppress(DatabaseUnavailable):
                _stream(settings, scheduler, health, stop)
            WAL_STREAM_UP.set(0)
            health.turned()
            stop.wait(RETRY_S)
    finally:
        health.close()
        secret_watch.close()
        scheduler.end()
        logger.info("stopped")


def _stream(settings: Settings, scheduler: "BackupScheduler", health: HealthServer, stop: threading.Event) -> None:
    stream = Stream(
        settings,
        lambda problem: logger.error("WAL stream interrupted", reason=problem),
        synchronous=settings.backup_sync,
    )
    with stream.running():
        logger.info("WAL stream begun")
        while not stop.is_set():
            try:
                stream.tend()
                WAL_STREAM_UP.set(stream.is_up)
            except (DatabaseUnavailable, BackupUnusable, OSError) as error:
                WAL_STREAM_UP.set(0)
                logger.warning("WAL stream failed", reason=str(error).strip())
            scheduler.tend(datetime.now(UTC))
            health.turned()
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
        failed_at = None
        if self._under_way is not None:
            if self._under_way.poll() is None:
                return
            output, _ = self._under_way.communicate()
            if self._under_way.returncode == 0:
                logger.info("backup made", **_made(output))
            else:
                logger.error("backup failed", reason=output.strip()[-REASON_MAX_CHARS:])
                failed_at = now
            self._under_way = self._due = None
        if self._due is None:
            newest = self._newest()
            self._due = next_due(now, newest=newest, failed_at=failed_at, every=self._every, dice=self._dice)
        if now >= self._due:
            logger.info("backup begun")
            self._under_way = self._start()

    def end(self) -> None:
        """Stop a running backup, which leaves nothing that could be mistaken for a backup."""
        if self._under_way is not None and self._under_way.poll() is None:
            self._under_way.terminate()
            self._under_way.communicate()

    def _newest(self) -> datetime | None:
        with contextlib.suppress(BackupUnusable, ConfigError):
            for label in self._folder.labels()[:1]:
                return manifests.read_plain(self._folder.backup(label)).moment_at
        return None


def next_due(
    now: datetime, *, newest: datetime | None, failed_at: datetime | None, every: timedelta, dice: random.Random
) -> datetime:
    """Return when to make the next backup: `every` ± 10 % after the newest; soon if there is none or the last one failed."""
    if failed_at is not None:
        return failed_at + min(AGAIN, every)
    if newest is None:
        return now + min(FIRST, every)
    due = newest + every * (1 + dice.uniform(-JITTER, JITTER))
    return max(due, now + min(FIRST, every))


def _made(output: str) -> dict[str, Any]:
    """Return what `vote backup daily --json` prints last: label, size, whether it is verified, and labels removed."""
    with contextlib.suppress(ValueError, IndexError):
        answer = json.loads(output.splitlines()[-1])
        return {name: answer.get(name) for name in ("label", "bytes", "is_verified", "removed")}
    return {}


def _start_daily() -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(sys.argv[0]).absolute()), "backup", "daily", "--json"]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
