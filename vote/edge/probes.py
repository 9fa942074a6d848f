"""Probes of the front door: is it alive, can a vote be acknowledged, what are the figures."""

import os
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vote.db import backups, clock, guards, positions
from vote.domain.ballot import Ballot
from vote.edge.parts import Parts
from vote.errors import DatabaseUnavailable, LogUnavailable, foreign_log

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Readiness(NamedTuple):
    """Why a vote could not be acknowledged now (empty: it could), and what somebody should mend."""

    reasons: list[str]
    warnings: list[str]


def readiness(parts: Parts) -> Readiness:
    """Ask log and database. PostgreSQL may be away, but where it answers it must keep what it commits."""
    reasons = _why_not_log(parts)
    warnings: list[str] = []
    if not parts.revoked.is_loaded:
        reasons.append("it was not read from PostgreSQL yet who is logged out")
    try:
        with parts.db.read() as tx:
            unsafe, warnings = guards.check(tx)
            ahead_s = clock.ahead_s(tx)
        reasons += unsafe
        if abs(ahead_s) > clock.APART_S:
            reasons.append(
                f"the clock of this machine is {abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} PostgreSQL's,"
                " and who is logged in depends on what came first: let both follow the same time server"
            )
    except DatabaseUnavailable:
        warnings.append("PostgreSQL does not answer: votes are accepted and wait to be recorded")
    return Readiness(reasons, warnings)


def _why_not_log(parts: Parts) -> list[str]:
    ours = parts.installation.id
    if ours is None:
        return ["it was not read from PostgreSQL yet which installation this is"]
    try:
        foreign = sorted({owner for owner, epoch in parts.log.owners() if owner != ours and (owner or epoch)})
        if foreign:
            return [foreign_log(ours, owner) for owner in foreign]
        reasons = parts.log.unsafe_settings()
        cold = [str(shard.number) for shard in parts.log.describe_all() if not shard.ready]
    except LogUnavailable as error:
        return [f"the ballot log does not answer: {error.__cause__ or error}"]
    if cold:
        reasons.append(f"shards {', '.join(cold)} of the ballot log wait for a worker to make them ready")
    return reasons


def metrics_text(parts: Parts) -> bytes:
    """Every metric in the text format: the sums of all web processes, and what log and journal say at this moment."""
    registry = CollectorRegistry()
    registry.register(_LogAndJournal(parts))
    figures = generate_latest(registry)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        summed = CollectorRegistry()
        multiprocess.MultiProcessCollector(summed)  # type: ignore[no-untyped-call]
        return figures + generate_latest(summed)
    return figures + generate_latest(REGISTRY)


class _LogAndJournal(Collector):
    """Read when somebody asks, so the figures are true even when no worker runs; left out when a store is away."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        try:
            with self._parts.db.read() as tx:
                at, recorded = positions.all_positions(tx), positions.count_recorded(tx)
                backed_up, proved = backups.last_proof(tx)
        except DatabaseUnavailable:
            yield _up("vote_database_up", "Whether PostgreSQL answers.", False)
            return
        yield _up("vote_database_up", "Whether PostgreSQL answers.", True)
        yield CounterMetricFamily("vote_recorded", "Ballots recorded: committed in the journal.", value=recorded)
        yield _time("vote_backup_verified", "When the newest backup that a restore has verified was made.", backed_up)
        yield _time("vote_restore_drill", "When a backup was last restored and compared, with success.", proved)
        try:
            shards = self._parts.log.describe_all()
            waiting = {
                s.number: s.last - (p.position if (p := at.get(s.number)) and p.epoch == s.epoch else 0) for s in shards
            }
            oldest = [self._oldest_ms(number, at) for number, pending in waiting.items() if pending > 0]
        except LogUnavailable:
            yield _up("vote_log_up", "Whether the ballot log answers.", False)
            return
        yield _up("vote_log_up", "Whether the ballot log answers.", True)
        lag = max((shards[0].now_ms - ms for ms in oldest if ms is not None), default=0)
        yield GaugeMetricFamily("vote_pending_ballots", "Log entries not recorded yet.", value=sum(waiting.values()))
        yield GaugeMetricFamily("vote_lag_seconds", "Age of the oldest ballot not recorded yet.", value=lag / 1000)

    def _oldest_ms(self, shard: int, at: dict[int, positions.Position]) -> int | None:
        entries = self._parts.log.read_after(shard, at[shard].position if shard in at else 0, 1)
        content = entries[0].content if entries else None
        return int(content.cast_at.timestamp() * 1000) if isinstance(content, Ballot) else None


def _time(name: str, text: str, at: datetime | None) -> Metric:
    return GaugeMetricFamily(f"{name}_timestamp_seconds", f"{text} 0: never.", value=at.timestamp() if at else 0)


def _up(name: str, text: str, is_up: bool) -> Metric:
    return GaugeMetricFamily(name, text, value=int(is_up))
