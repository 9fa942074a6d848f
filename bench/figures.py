"""Small arithmetic of figures: percentiles, medians, slopes."""

import statistics
from collections.abc import Sequence


def percentile(values: Sequence[float], quantile: float) -> float:
    """The smallest value that at least this share (0 … 1) of the values does not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * quantile))] if ordered else 0.0


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of each round: what disturbs one round does not move it."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least-squares slope of (x, y) points."""
    x, y = zip(*points, strict=True)
    return statistics.linear_regression(x, y).slope
