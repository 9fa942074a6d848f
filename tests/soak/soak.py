"""One soak: start, load and look, judge. What it came to is a `Found`."""

import asyncio
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psycopg

from tests.soak import judge
from tests.soak.judge import Row
from tests.soak.load import ROUND_S, Load, Rates
from tests.soak.samples import Sampler
from tests.storm.__main__ import HEAL_WITHIN_S, START_WITHIN_S, Storm
from tests.storm.chaos import heal_by
from vote.auth import create_jwt_token
from vote.db import synthetic_voters

SAMPLES = 500  # in a run, but not more often than every MIN_EVERY_S
MIN_EVERY_S = 1.0
BACKUPS = 5  # in a run of hours: the log is trimmed after each, and must not be the only thing that grows
SHARDS = 8
FAILED_SHARE = 0.01  # of pages, log-ins and watchers that may fail on a machine that is busy; of votes none


class Found(NamedTuple):
    """What a soak came to."""

    seconds: float
    rows: list[Row]
    restarted: set[str]
    votes: int
    wrong: list[str]
    asked: Counter[str]
    failed: Counter[str]

    @property
    def is_clean(self) -> bool:
        """Nothing grows, nothing was lost, nothing fell over, and nearly everybody was answered."""
        few = self.failed.total() <= FAILED_SHARE * self.asked.total()
        return (
            all(row.is_kept for row in self.rows) and not self.restarted and not self.wrong and few and self.votes > 0
        )

    def lines(self) -> list[str]:
        """The report."""
        asked = ", ".join(f"{count:,} {what}" for what, count in sorted(self.asked.items()))
        failed = ", ".join(f"{count} {what}" for what, count in sorted(self.failed.items())) or "none"
        return [
            f"{self.seconds / 60:g} minutes, the first {judge.warm_up(self.seconds) / 60:.1f} of them warm-up;"
            f" {self.votes:,} votes, {asked}",
            "",
            judge.HEAD,
            *(row.line() for row in self.rows),
            "",
            f"lost, duplicate, phantom: {'; '.join(self.wrong) or 'none'}",
            f"not answered as they should be, besides votes: {failed} (at most {FAILED_SHARE:.0%})",
            f"restarted: {', '.join(sorted(self.restarted)) or 'none'}",
            "",
            "The soak is clean." if self.is_clean else "The soak is NOT clean.",
        ]


def run(seconds: float, rates: Rates) -> Found:
    """Soak a `vote up` of its own for so long."""
    every_h = min(24.0, max(0.01, seconds / BACKUPS / 3600))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        storm = Storm(Path(folder), BACKUP_EVERY_HOURS=f"{every_h:.4f}", LIMIT_REGISTRATIONS_PER_HOUR="1000000")
        try:
            heal_by(time.monotonic() + START_WITHIN_S, storm.is_ready)
            return _soak(storm, Path(folder), seconds, rates)
        finally:
            storm.stop()


def _soak(storm: Storm, folder: Path, seconds: float, rates: Rates) -> Found:
    database, secret, log = (storm.secrets[name] or "" for name in ("DATABASE_URL", "JWT_SECRET", "REDIS_URL"))
    with psycopg.connect(database) as connection:
        organiser = synthetic_voters.insert(connection, prefix="soak-organiser", count=1, role="organiser")[0]
        voters = synthetic_voters.insert(connection, prefix="soak", count=int(rates.votes * ROUND_S))
    load = Load(
        storm.url,
        secret=secret,
        database=database,
        organiser=create_jwt_token(organiser, secret=secret),
        voters=voters,
        folder=folder,
        rates=rates,
    )
    sampler = Sampler(
        storm.process.pid,
        lambda: storm.probe("/metrics"),
        database=database,
        log=log,
        shards=SHARDS,
        every_s=max(MIN_EVERY_S, seconds / SAMPLES),
    )
    sampler.start()
    asyncio.run(load.run(seconds))
    sampler.finish()
    heal_by(time.monotonic() + HEAL_WITHIN_S, storm.is_drained)
    series = {key: [point for point in points if point[0] <= seconds] for key, points in sampler.series.items()}
    rows = judge.judge(series, after_s=judge.warm_up(seconds))
    return Found(seconds, rows, sampler.restarted, load.votes, load.wrong, load.asked, load.failed)


def wanted_seconds() -> float:
    """How long, by SOAK_HOURS or SOAK_MINUTES; ten minutes without."""
    if hours := os.environ.get("SOAK_HOURS"):
        return float(hours) * 3600
    return float(os.environ.get("SOAK_MINUTES", "10")) * 60
