"""The limits that a load must meet to pass. The defaults are those of the production checklist."""

from collections.abc import Sequence
from typing import NamedTuple

from vote.ops.load import exchanges
from vote.ops.load.exchanges import Steps
from vote.ops.load.histogram import Histogram
from vote.ops.load.measurements import Measured
from vote.ops.load.verdict import Verdict


class Thresholds(NamedTuple):
    """Upper limits: milliseconds, and the number of votes not acknowledged."""

    median_ms: float = 500
    p99_ms: float = 2_000
    database_ms: float = 100
    failed: int = 0


class Row(NamedTuple):
    """A limit and the measured value."""

    what: str
    limit: float
    measured: float
    unit: str

    @property
    def is_met(self) -> bool:
        """Return whether the value is within the limit, or at it."""
        return self.measured <= self.limit


def rows(
    limits: Thresholds, measured: Measured, database: Histogram | None, asked: Steps | None, verdict: Verdict
) -> list[Row]:
    """Return every limit with its value. `database` is None if it was not probed, `asked` if /metrics is not accessible."""
    results = [
        Row("votes not acknowledged", limits.failed, measured.failed, ""),
        Row("a vote, median", limits.median_ms, measured.latency.percentile_ms(0.50), "ms"),
        Row("a vote, p99", limits.p99_ms, measured.latency.percentile_ms(0.99), "ms"),
    ]
    if database is not None:
        results.append(Row("the database meanwhile, p99", limits.database_ms, database.percentile_ms(0.99), "ms"))
    if asked is not None:
        slowest = exchanges.percentile_ms(asked, 0.99)
        results.append(Row("the database for the web, p99 at most", limits.database_ms, slowest, "ms"))
    return [
        *results,
        Row("competitions not settled at the deadline", 0, int(not verdict.settled), ""),
        Row("lost", 0, len(verdict.lost), ""),
        Row("duplicate", 0, len(verdict.duplicate), ""),
        Row("phantom", 0, len(verdict.phantom), ""),
    ]


def all_met(results: Sequence[Row]) -> bool:
    """Return whether the load passes."""
    return all(row.is_met for row in results)
