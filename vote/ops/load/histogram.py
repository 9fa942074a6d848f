"""A histogram of durations with bounded error and bounded size, after HdrHistogram (http://hdrhistogram.org).

Each power of two has 64 linear buckets, so a percentile is at most 1/64 (1.6 %) above the measured value.
"""

from collections import Counter
from collections.abc import Iterator

SUB_BITS = 6


class Histogram:
    """A histogram of durations in microseconds. Adding takes constant time."""

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
        for top_us, count in self._buckets():
            seen += count
            if seen >= wanted:
                return min(top_us, self.max_us) / 1000
        return self.max_us / 1000

    @property
    def mean_ms(self) -> float:
        """Return the mean; 0 without durations."""
        return self._sum_us / self.count / 1000 if self.count else 0.0

    def buckets_ms(self) -> list[tuple[float, int]]:
        """Return upper end and count of every non-empty bucket, ascending."""
        return [(top_us / 1000, count) for top_us, count in self._buckets()]

    def _buckets(self) -> Iterator[tuple[int, int]]:
        for index in sorted(self._counts):
            shift = max(0, (index >> SUB_BITS) - 1)
            yield ((index - (shift << SUB_BITS) + 1) << shift) - 1, self._counts[index]
