"""The histogram against exact percentiles."""

import math
import random

import pytest

from vote.ops.load.histogram import Histogram


def filled(seconds: list[float]) -> Histogram:
    histogram = Histogram()
    for one in seconds:
        histogram.add(one)
    return histogram


@pytest.mark.parametrize("quantile", [0.01, 0.5, 0.9, 0.99, 0.999, 1])
def test_a_percentile_is_never_below_the_exact_one_and_at_most_a_64th_above(quantile: float) -> None:
    dice = random.Random(5)
    seconds = sorted(math.exp(dice.gauss(-4, 2)) for _ in range(5_000))
    exact_ms = 1000 * seconds[math.ceil(quantile * len(seconds)) - 1]

    found = filled(seconds).percentile_ms(quantile)

    assert exact_ms - 0.001 <= found <= exact_ms * (1 + 1 / 64) + 0.001  # a microsecond is the smallest step


def test_every_value_lies_in_its_bucket_and_nothing_gets_lost() -> None:
    values = [0, 1, 63, 64, 127, 128, 129, 255, 256, 1_000, 123_456, 10**9]

    for us in values:
        ((top_ms, count),) = filled([us / 1e6 + 1e-9]).buckets_ms()
        assert count == 1
        assert us <= round(top_ms * 1000) <= us * (1 + 1 / 64)


def test_mean_count_and_maximum_are_exact() -> None:
    histogram = filled([0.001, 0.002, 0.006])

    assert (histogram.count, histogram.mean_ms, histogram.max_us) == (3, 3, 6_000)
    assert histogram.percentile_ms(1) == 6


def test_an_empty_one_says_nothing_and_a_clock_that_jumps_back_is_no_time() -> None:
    assert (Histogram().percentile_ms(0.99), Histogram().mean_ms) == (0, 0)
    assert filled([-0.5]).percentile_ms(0.5) == 0
