"""The registry of our metrics, and a histogram that takes many observations at once.

It is our own: the library's adds figures of Python itself, and drops them where several processes are summed.
"""

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics import MetricWrapperBase

REGISTRY = CollectorRegistry()


class ManySeconds(Histogram):
    """A histogram that takes many observations at once: each one alone costs a lock and writes to a shared file."""

    def observe_all(self, amounts: Iterable[float]) -> None:
        """Record every amount, as `observe` would."""
        amounts = list(amounts)
        self._sum.inc(sum(amounts))
        for bucket, count in Counts(bisect_left(self._upper_bounds, amount) for amount in amounts).items():
            self._buckets[bucket].inc(count)

    def observe_times(self, amount: float, times: int) -> None:
        """Record the same amount so many times."""
        self._sum.inc(amount * times)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(times)


def start_at_zero(metric: MetricWrapperBase, *labels: str | tuple[str, ...]) -> None:
    """Make a series for each of these values of its labels: a rate over a series that is not there yet fires nothing."""
    for values in labels:
        given: Any = (values,) if isinstance(values, str) else values
        metric.labels(*given)
