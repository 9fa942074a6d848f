"""The web's /metrics: the sums of all its processes, and the state of log and journal, read when it is asked for.

A store that is away, or does not answer in time, is told as down, and what only it knows is left out.
"""

import time
from collections.abc import Iterable
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

import structlog
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from vote import config
from vote.ballotlog.server_figures import LogServerFigures
from vote.ballotlog.shard import Shard
from vote.db import backups, service_figures, shard_positions
from vote.db.service_figures import ServiceFigures
from vote.db.shard_positions import Position
from vote.errors import DatabaseUnavailable, LogUnavailable
from vote.metrics.exposition import MetricsPage, counter, gauge, labelled
from vote.metrics.folder import FolderCollector
from vote.metrics.process import ProcessCollector
from vote.secret_ages import SecretAgeCollector
from vote.server.deadline_reader import DeadlineReader
from vote.services import recording_lag
from vote.services.container import Services
from vote.services.recording_lag import RecordingLag

WITHIN_S = 2.0  # for both stores together: the page is there within 3 s

T = TypeVar("T")

logger = structlog.get_logger()


class JournalFigures(NamedTuple):
    """Hold what PostgreSQL knows."""

    positions: dict[int, Position]
    moved_s: dict[int, float]
    recorded: int
    backed_up: datetime | None
    proved: datetime | None
    service: ServiceFigures


class LogFigures(NamedTuple):
    """Hold what the log knows. `turn_s`: seconds since a worker's last turn; None for never."""

    server: LogServerFigures
    shards: list[Shard]
    turn_s: float | None


def metrics_page(services: Services) -> MetricsPage:
    """Return the page of a web process."""
    folder = config.metrics_folder()
    return MetricsPage(
        StoresCollector(services),
        ProcessCollector("web", commit=services.settings.vote_commit),
        SecretAgeCollector(services.settings),
        sums=None if folder is None else FolderCollector(Path(folder)),
    )


class StoresCollector(Collector):
    """A collector that asks both stores at once when scraped, so it is right even when no worker runs."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._database: DeadlineReader[JournalFigures] = DeadlineReader("metrics of the database")
        self._log: DeadlineReader[LogFigures] = DeadlineReader("metrics of the log")
        self._lag: DeadlineReader[RecordingLag] = DeadlineReader("metrics of the lag")

    def collect(self) -> Iterable[Metric]:
        """Yield what both stores say within WITHIN_S."""
        until = time.monotonic() + WITHIN_S
        asked_database, asked_log = self._database.begin(self._read_database), self._log.begin(self._read_log)
        journal, log = _result(asked_database, until), _result(asked_log, until)
        yield gauge("vote_database_up", "Whether PostgreSQL answers.", journal is not None)
        if journal is not None:
            yield from _of_journal(journal)
        lag = None
        if journal is not None and log is not None:
            shards, positions, moved_s = log.shards, journal.positions, journal.moved_s
            measured = self._lag.begin(
                lambda: recording_lag.measure(self._services.log, shards, positions, moved_s),
            )
            lag = _result(measured, until)
        yield gauge("vote_log_up", "Whether the ballot log answers.", log is not None)
        if log is not None:
            yield from _of_log(log)
        if lag is not None:
            yield from _of_lag(lag)

    def _read_database(self) -> JournalFigures:
        with self._services.db.read() as tx:
            return JournalFigures(
                shard_positions.all_positions(tx),
                shard_positions.seconds_since_moved(tx),
                shard_positions.count_recorded(tx),
                *backups.last_proof(tx),
                service_figures.read(tx),
            )

    def _read_log(self) -> LogFigures:
        log, replicas = self._services.log, self._services.settings.ballot_log_min_replicas
        shards = log.describe_all()
        return LogFigures(log.server_figures(replicas), shards, self._services.heartbeats.seconds_since_turn())


def _result(asked: "Future[T]", until: float) -> T | None:
    """Return the answer of a store; None when it does not answer, or not in time."""
    try:
        return asked.result(max(0.0, until - time.monotonic()))
    except (DatabaseUnavailable, LogUnavailable, TimeoutError):
        return None
    except Exception:  # whatever it is: the other figures are needed more than ever
        logger.exception("metrics not read")
        return None


def _of_journal(journal: JournalFigures) -> Iterable[Metric]:
    service = journal.service
    yield counter("vote_recorded", "Ballots recorded: committed in the journal.", journal.recorded)
    text = "Log entries that nobody could read, so that they count for nothing."
    yield counter("vote_rejected_ballots", text, service.rejected)
    text = "Ballots whose voter, competition or option was not there when they were recorded."
    yield counter("vote_unmatched_ballots", text, service.unmatched)
    yield gauge("vote_gaps_open", "Gaps of the ballot log that wait for an admin's decision.", service.gaps_open)
    yield gauge("vote_accounts_locked", "Accounts locked after too many wrong passwords.", service.accounts_locked)
    yield gauge("vote_mail_waiting", "Mails that are not sent yet.", service.mail_waiting)
    yield _time("vote_backup_timestamp_seconds", "When the newest backup was made.", service.backup_made_at)
    text = "When the newest backup that a restore has verified was made."
    yield _time("vote_backup_verified_timestamp_seconds", text, _seconds(journal.backed_up))
    text = "When a backup was last restored and compared, with success."
    yield _time("vote_restore_drill_timestamp_seconds", text, _seconds(journal.proved))


def _of_log(log: LogFigures) -> Iterable[Metric]:
    server = log.server
    yield gauge("vote_log_memory_bytes", "Memory that the ballot log uses.", server.memory_bytes)
    text = "Memory that the ballot log may use (maxmemory). 0: no limit of its own."
    yield gauge("vote_log_memory_limit_bytes", text, server.memory_limit_bytes)
    yield gauge("vote_log_replicas", "Replicas connected to the ballot log.", server.replicas)
    yield gauge("vote_log_writable", "Whether the ballot log takes ballots.", server.is_writable)
    if log.turn_s is not None:
        yield gauge("vote_worker_turn_age_seconds", "Seconds since any worker last ran.", log.turn_s)


def _of_lag(lag: RecordingLag) -> Iterable[Metric]:
    yield gauge("vote_pending_ballots", "Log entries not recorded yet.", lag.pending)
    yield gauge("vote_lag_seconds", "Age of the oldest ballot not recorded yet.", lag.lag_s)
    pending = [(str(number), shard.pending) for number, shard in lag.shards.items()]
    yield labelled("vote_shard_pending_ballots", "Log entries not recorded yet, by shard.", "shard", pending)
    ages = [(str(number), shard.lag_s) for number, shard in lag.shards.items()]
    yield labelled("vote_shard_lag_seconds", "Age of the oldest ballot not recorded yet, by shard.", "shard", ages)


def _time(name: str, text: str, moment_s: float) -> Metric:
    return gauge(name, f"{text} 0: never.", moment_s)


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
