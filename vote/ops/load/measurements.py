"""Measure a load: the answer and latency of every vote, and how long the database took meanwhile.

The latency of a vote counts from the time it was due. Counted so, a stall of the service costs every vote due meanwhile what
it would cost a person: there is no coordinated omission (wrk2, https://github.com/giltene/wrk2#readme).

The database is measured twice. `probe_database` asks it from outside, as a results page does. `read_exchanges` takes the
web's own histogram from /metrics, before and after the load; it has buckets, not values, so percentiles are the upper bound
of a bucket and never too good. It is unknown where this machine may not read /metrics (METRICS_NETWORKS).
"""

import contextlib
import math
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client.parser import text_string_to_metric_families

from vote.config import Settings
from vote.db import tallies
from vote.db.pool import Database
from vote.errors import DatabaseUnavailable
from vote.ops.load.client import NO_ANSWER
from vote.ops.load.plan import Plan
from vote.ops.load.target import Api

ACCEPTED = (200, 202)
WAITING = -1
SLICES = 60  # time slices of the run, for the plot over time
SUB_BITS = 6
PROBE_EVERY_S = 0.1
METRIC = "vote_database_seconds"
BEYOND_S = 10.0  # for values above the last bucket, 5 s: statements time out there, so they take less than this

Steps = Counter[float]  # number of exchanges by upper bound in seconds, cumulative; math.inf: all


class Histogram:
    """A histogram of durations in microseconds, after HdrHistogram (http://hdrhistogram.org). Adding takes constant time.

    Each power of two has 64 linear buckets, so a percentile is at most 1/64 (1.6 %) above the measured value.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.count = 0
        self.max_us = 0
        self._sum_us = 0

    def add(self, seconds: float) -> None:
        """Record one duration in seconds; a negative one counts as zero."""
        us = max(0, int(seconds * 1e6))
        shift = max(0, us.bit_length() - SUB_BITS - 1)
        self._counts[(shift << SUB_BITS) + (us >> shift)] += 1
        self.count += 1
        self._sum_us += us
        self.max_us = max(self.max_us, us)

    def percentile_ms(self, quantile: float) -> float:
        """Return the duration that this share (0 … 1) did not exceed, rounded up to a bucket's end; 0 without durations."""
        wanted, seen = quantile * self.count, 0
        for top_ms, count in self.buckets_ms():
            seen += count
            if seen >= wanted:
                return min(top_ms, self.max_us / 1000)
        return self.max_us / 1000

    @property
    def mean_ms(self) -> float:
        """Return the mean; 0 without durations."""
        return self._sum_us / self.count / 1000 if self.count else 0.0

    def buckets_ms(self) -> Iterator[tuple[float, int]]:
        """Yield upper end and count of every non-empty bucket, ascending."""
        for index in sorted(self._counts):
            shift = max(0, (index >> SUB_BITS) - 1)
            yield (((index - (shift << SUB_BITS) + 1) << shift) - 1) / 1000, self._counts[index]


class Measured:
    """The measurements, filled as votes are answered. `statuses` holds each vote's status, NO_ANSWER or WAITING."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.statuses = array("h", [WAITING]) * plan.votes
        self.latency = Histogram()  # from the due time; the limits apply to this
        self.service = Histogram()  # from the time of sending, which hides queueing
        self.slices = [Histogram() for _ in range(SLICES)]  # as `latency`, of the votes due in each time slice
        self.answered = 0
        self.sent_again = 0
        self.late_s = 0.0  # the most by which the generator itself missed a due time
        self.cpu_s = 0.0
        self.took_s = 0.0

    def note(self, vote: int, status: int, *, due: float, sent: float, now: float) -> None:
        """Record the answer to a vote. Only accepted and unanswered votes have a latency: a fast refusal is no fast vote."""
        self.statuses[vote] = status
        self.answered += 1
        if status in ACCEPTED or status == NO_ANSWER:
            self.latency.add(now - due)
            self.service.add(now - sent)
            self.slices[vote * SLICES // self.plan.votes].add(now - due)

    def by_status(self) -> dict[int, int]:
        """Return how often each status was given."""
        return dict(sorted(Counter(self.statuses).items()))

    @property
    def accepted(self) -> int:
        """Return the number of acknowledged votes."""
        return sum(count for status, count in self.by_status().items() if status in ACCEPTED)

    @property
    def failed(self) -> int:
        """Return the number of votes not acknowledged."""
        return self.plan.votes - self.accepted

    @property
    def per_second(self) -> float:
        """Return acknowledged votes per second, from the first sending to the last answer."""
        return self.accepted / self.took_s if self.took_s else 0.0

    @property
    def core(self) -> float:
        """Return the share of a core that the generator used."""
        return self.cpu_s / self.took_s if self.took_s else 0.0


@contextlib.contextmanager
def probe_database(settings: Settings, competitions: Sequence[int]) -> Iterator[Histogram]:
    """Yield the durations of reading these tallies, until the context ends. A failed query counts with its duration, but at
    least a second.
    """
    durations, stop = Histogram(), threading.Event()

    def ask_repeatedly() -> None:
        with contextlib.closing(Database(settings.database("web"), size=1, name="vote load")) as db:
            while not stop.wait(PROBE_EVERY_S):
                began, least = time.monotonic(), 0.0
                try:
                    with db.read() as tx:
                        tallies.read(tx, competitions)
                except DatabaseUnavailable:
                    least = 1.0
                durations.add(max(time.monotonic() - began, least))

    thread = threading.Thread(target=ask_repeatedly, name="probe", daemon=True)
    thread.start()
    try:
        yield durations
    finally:
        stop.set()
        thread.join()


def read_exchanges(api: Api) -> Steps | None:
    """Return the web's histogram over all pools and processes; None if /metrics is not accessible."""
    reply = api.ask("GET", "/metrics")
    return parse_exchanges(reply.text) if reply.status == 200 else None


def parse_exchanges(text: str) -> Steps:
    """Parse the histogram from the text of /metrics."""
    steps = Steps()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"{METRIC}_bucket":
                steps[float(sample.labels["le"])] += round(sample.value)
    return steps


def exchanges_between(before: Steps | None, after: Steps | None) -> Steps | None:
    """Return the exchanges between two readings; None if a reading is missing, there were none, or the web restarted."""
    if before is None or after is None or after[math.inf] <= before[math.inf]:
        return None
    return Steps({step: after[step] - before[step] for step in after})


def percentile_ms(steps: Steps, quantile: float) -> float:
    """Return the milliseconds within which this share of exchanges was answered: the upper bound of a bucket."""
    wanted = quantile * steps[math.inf]
    step = min(step for step, count in steps.items() if count >= wanted)
    return 1000 * (BEYOND_S if step == math.inf else step)
