"""What the web's histogram says of the database: between two readings, in steps, never flattering."""

import math

from vote.ops.load import exchanges
from vote.ops.load.exchanges import Steps

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


def test_all_pools_are_read_together() -> None:
    steps = exchanges.parse(TEXT)

    assert steps == {0.05: 190, 0.1: 198, math.inf: 200}
    assert (exchanges.percentile_ms(steps, 0.95), exchanges.percentile_ms(steps, 0.99)) == (50, 100)


def test_what_is_slower_than_the_last_step_is_no_quick_answer() -> None:
    assert exchanges.percentile_ms(Steps({0.1: 98, math.inf: 100}), 0.99) == 1000 * exchanges.BEYOND_S


def test_only_what_was_asked_meanwhile_counts() -> None:
    before = Steps({0.1: 1000, 0.25: 1000, math.inf: 1000})
    after = Steps({0.1: 1010, 0.25: 1020, math.inf: 1020})

    asked = exchanges.between(before, after)

    assert asked == {0.1: 10, 0.25: 20, math.inf: 20}
    assert exchanges.percentile_ms(asked, 0.99) == 250
    assert exchanges.between(after, before) is None
    assert exchanges.between(None, after) is None
