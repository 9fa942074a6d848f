"""The histogram against exact percentiles; and what the web's histogram says of the database: never flattering."""

import math
import random

import pytest

from vote.ops.load.measurements import BEYOND_S, Histogram, Steps, exchanges_between, parse_exchanges, percentile_ms

TEXT = """\
# HELP vote_database_seconds Time.
# TYPE vote_database_seconds histogram
vote_database_seconds_bucket{le="0.05",pool="vote web"} 90
vote_database_seconds_bucket{le="0.1",pool="vote web"} 98
vote_database_seconds_bucket{le="+Inf",pool="vote web"} 100
vote_database_seconds_sum{pool="vote web"} 3
vote_database_seconds_count{pool="vote web"} 100
vote_database_seconds_bucket{le="0.05",pool="vote reports"} 100
vote_database_seconds_bucket{le="0.1",pool="vote reports"} 100
vote_database_seconds_bucket{le="+Inf",pool="vote reports"} 100
"""


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


def test_all_pools_are_read_together() -> None:
    steps = parse_exchanges(TEXT)

    assert steps == {0.05: 190, 0.1: 198, math.inf: 200}
    assert (percentile_ms(steps, 0.95), percentile_ms(steps, 0.99)) == (50, 100)


def test_what_is_slower_than_the_last_step_is_no_quick_answer() -> None:
    assert percentile_ms(Steps({0.1: 98, math.inf: 100}), 0.99) == 1000 * BEYOND_S


def test_only_what_was_asked_meanwhile_counts() -> None:
    before = Steps({0.1: 1000, 0.25: 1000, math.inf: 1000})
    after = Steps({0.1: 1010, 0.25: 1020, math.inf: 1020})

    asked = exchanges_between(before, after)

    assert asked == {0.1: 10, 0.25: 20, math.inf: 20}
    assert percentile_ms(asked, 0.99) == 250
    assert exchanges_between(after, before) is None
    assert exchanges_between(None, after) is None
