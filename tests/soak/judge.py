"""Whether what the system holds grows: a straight line through the samples after the warm-up, held against a limit.

A limit has two parts. `per_hour` is what may grow for ever, since something is remembered by design. `noise` is by how
much samples of a system that does not grow may differ between the ends of a run; a short run cannot tell that from growth,
so it is spread over the time that was fitted. Ten minutes find a leak that a day would die of; a day finds one that a
month would.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

HOUR_S = 3600.0
ENDS = 5  # samples whose median is shown as the first and the last value
WARM_UP_SHARE = 0.3
WARM_UP_MAX_S = 600.0  # pools are full, caches warm, buffers touched

Points = Sequence[tuple[float, float]]  # (seconds since the start, value)


class Limit(NamedTuple):
    """How much a kind of figure may grow, and why that much."""

    unit: str
    per_hour: float
    noise: float
    why: str

    def over(self, seconds: float) -> float:
        """Growth an hour that is still allowed, when so many seconds were fitted."""
        return self.per_hour + self.noise * HOUR_S / seconds


LIMITS: Mapping[str, Limit] = {
    "memory": Limit(
        "MiB", 1, 6, "a log-out is remembered for 25 h (some 200 bytes); an allocator takes memory in steps of MiB"
    ),
    "server memory": Limit(
        "MiB",
        8,
        24,
        "each backend of PostgreSQL caches what it has planned; Valkey holds the log until a backup is proved",
    ),
    "descriptors": Limit("", 0.5, 20, "voters and watchers come and go: at any moment some more or fewer"),
    "server descriptors": Limit(
        "", 20, 200, "each backend of PostgreSQL keeps the files of the tables it has read open"
    ),
    "connections": Limit("", 0.5, 8, "pools grow and shrink by what happens at once"),
    "watchers": Limit("", 0.5, 10, "the load opens and leaves as many, at random times"),
    "keys": Limit("", 5, 60, "one for each account that voted in the last second; a competition's go when it is over"),
    "entries": Limit("", 1_000, 3_000, "the log is trimmed after each proved backup: it rises and falls like a saw"),
}


class Row(NamedTuple):
    """One figure: what it was, how it grew, what is allowed."""

    what: str
    kind: str
    first: float
    last: float
    per_hour: float
    limit: float

    @property
    def is_kept(self) -> bool:
        """Whether it does not grow beyond the limit. To fall is no growth."""
        return self.per_hour <= self.limit

    def line(self) -> str:
        """A row of the table."""
        unit = LIMITS[self.kind].unit
        figures = " | ".join(f"{value:,.1f}" for value in (self.first, self.last, self.per_hour, self.limit))
        return f"| {self.what}{f', {unit}' if unit else ''} | {figures} | {'ok' if self.is_kept else 'GROWS'} |"


HEAD = "| | first | last | growth an hour | at most | |\n|---|---:|---:|---:|---:|---|"


def warm_up(seconds: float) -> float:
    """How much of the beginning of a run of so many seconds is not judged."""
    return min(WARM_UP_MAX_S, WARM_UP_SHARE * seconds)


def judge(series: Mapping[tuple[str, str], Points], *, after_s: float) -> list[Row]:
    """A row for each (kind, what) with its samples; those before `after_s` do not count."""
    rows = []
    for (kind, what), points in sorted(series.items()):
        kept = [point for point in points if point[0] >= after_s]
        if len(kept) < 2 * ENDS:
            raise ValueError(f"{what}: {len(kept)} samples after the warm-up say nothing")
        limit = LIMITS[kind].over(kept[-1][0] - kept[0][0])
        rows.append(Row(what, kind, _median(kept[:ENDS]), _median(kept[-ENDS:]), slope_per_hour(kept), limit))
    return rows


def slope_per_hour(points: Points) -> float:
    """Growth an hour of the line with the least squares."""
    middle = sum(at for at, _ in points) / len(points)
    mean = sum(value for _, value in points) / len(points)
    spread = sum((at - middle) ** 2 for at, _ in points)
    return HOUR_S * sum((at - middle) * (value - mean) for at, value in points) / spread


def _median(points: Points) -> float:
    return sorted(value for _, value in points)[len(points) // 2]
