"""Probes of the front door: is it alive, can a vote be acknowledged, what are the figures."""

import os
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vote.ballotlog.shard import Shard
from vote.db import backups, clock, durability_settings, positions
from vote.db.positions import Position
from vote.errors import DatabaseUnavailable, LogUnavailable, foreign_log
from vote.services import recording_lag
from vote.services.container import Services

QUIET_S = 10.0  # of a worker, or of the recording of what is pending, before somebody is told
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Readiness(NamedTuple):
    """Why a vote could not be acknowledged now (empty: it could), and what somebody should mend."""

    reasons: list[str]
    warnings: list[str]


def readiness(services: Services) -> Readiness:
    """Ask log and database. PostgreSQL may be away, but where it answers it must keep what it commits."""
    log_reasons, shards = _ask_log(services)
    found = Readiness(log_reasons, [])
    found.reasons.extend(_why_not_trusted(services))
    try:
        with services.db.read() as tx:
            unsafe, warnings = durability_settings.check(tx)
            ahead_s = clock.ahead_s(tx)
            at, moved_s = positions.all_positions(tx), positions.seconds_since_moved(tx)
        found.reasons.extend(unsafe)
        found.warnings.extend(warnings)
        if abs(ahead_s) > clock.APART_S:
            found.reasons.append(
                f"the clock of this machine is {abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} PostgreSQL's,"
                " and who is logged in depends on what came first: let both follow the same time server"
            )
        found.warnings.extend(_what_stands_still(services, shards, at, moved_s))
    except DatabaseUnavailable:
        found.warnings.append("PostgreSQL does not answer: votes are accepted and wait to be recorded")
    return found


def _ask_log(services: Services) -> tuple[list[str], list[Shard]]:
    """Why the log takes no ballots, and its shards; none when it does not answer or is not ours."""
    ours = services.installation.id
    if ours is None:
        return ["it was not read from PostgreSQL yet which installation this is"], []
    try:
        foreign = sorted({owner for owner, epoch in services.log.owners() if owner != ours and (owner or epoch)})
        if foreign:
            return [foreign_log(ours, owner) for owner in foreign], []
        reasons, shards = services.log.unsafe_settings(), services.log.describe_all()
    except LogUnavailable as error:
        return [f"the ballot log does not answer: {error.__cause__ or error}"], []
    if cold := [str(shard.number) for shard in shards if not shard.ready]:
        reasons.append(f"shards {', '.join(cold)} of the ballot log wait for a worker to make them ready")
    return reasons, shards


def _why_not_trusted(services: Services) -> list[str]:
    """Why logins that were let in until now are let in no more."""
    if not services.revocations.is_loaded:
        return ["it was not read from PostgreSQL yet who is logged out"]
    if not services.revocations.is_cut_off:
        return []
    who = "only later logins are" if services.settings.logins_when_cut_off == "newer" else "nobody is"
    return [
        f"this process is cut off from PostgreSQL: {services.revocations.age_s:.0f} s ago it heard last who has logged out,"
        f" and {who} let in"
    ]


def _what_stands_still(
    services: Services, shards: list[Shard], at: dict[int, Position], moved_s: dict[int, float]
) -> list[str]:
    """Whether workers work and ballots are recorded, as far as somebody should be told."""
    if not shards:
        return []
    try:
        turn_s, waiting = (
            services.heartbeats.seconds_since_turn(),
            recording_lag.measure(services.log, shards, at, moved_s),
        )
    except LogUnavailable:
        return []
    told = []
    if turn_s is None or turn_s > QUIET_S:
        since = "for a day, or ever" if turn_s is None else f"for {turn_s:.0f} s"
        told.append(f"no worker has done a turn {since}: nothing is recorded, opened or closed")
    if waiting.still_s > QUIET_S:
        told.append(f"recording stands still for {waiting.still_s:.0f} s while {waiting.pending} entries are pending")
    return told


def metrics_text(services: Services) -> bytes:
    """Every metric in the text format: the sums of all web processes, and what log and journal say at this moment."""
    registry = CollectorRegistry()
    registry.register(_LogAndJournal(services))
    figures = generate_latest(registry)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        summed = CollectorRegistry()
        multiprocess.MultiProcessCollector(summed)  # type: ignore[no-untyped-call]
        return figures + generate_latest(summed)
    return figures + generate_latest(REGISTRY)


class _LogAndJournal(Collector):
    """Read when somebody asks, so the figures are true even when no worker runs; left out when a store is away."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterable[Metric]:
        try:
            with self._services.db.read() as tx:
                at, recorded = positions.all_positions(tx), positions.count_recorded(tx)
                moved_s = positions.seconds_since_moved(tx)
                backed_up, proved = backups.last_proof(tx)
        except DatabaseUnavailable:
            yield _up("vote_database_up", "Whether PostgreSQL answers.", False)
            return
        yield _up("vote_database_up", "Whether PostgreSQL answers.", True)
        yield CounterMetricFamily("vote_recorded", "Ballots recorded: committed in the journal.", value=recorded)
        yield _time("vote_backup_verified", "When the newest backup that a restore has verified was made.", backed_up)
        yield _time("vote_restore_drill", "When a backup was last restored and compared, with success.", proved)
        try:
            waiting = recording_lag.measure(self._services.log, self._services.log.describe_all(), at, moved_s)
            turn_s = self._services.heartbeats.seconds_since_turn()
        except LogUnavailable:
            yield _up("vote_log_up", "Whether the ballot log answers.", False)
            return
        yield _up("vote_log_up", "Whether the ballot log answers.", True)
        yield GaugeMetricFamily("vote_pending_ballots", "Log entries not recorded yet.", value=waiting.pending)
        yield GaugeMetricFamily("vote_lag_seconds", "Age of the oldest ballot not recorded yet.", value=waiting.lag_s)
        if turn_s is not None:
            yield GaugeMetricFamily("vote_worker_turn_age_seconds", "Since any worker has done a turn.", value=turn_s)


def _time(name: str, text: str, at: datetime | None) -> Metric:
    return GaugeMetricFamily(f"{name}_timestamp_seconds", f"{text} 0: never.", value=at.timestamp() if at else 0)


def _up(name: str, text: str, is_up: bool) -> Metric:
    return GaugeMetricFamily(name, text, value=int(is_up))
