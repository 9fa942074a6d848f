"""Limits are counted once for all processes, exactly; and never more than twice while nobody counts for all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from tests.servers import Pair
from tests.stack import wait_until
from vote.domain.installation import Installation
from vote.errors import TooManyRequests
from vote.services.rate_limiter import RateLimiter, key_of
from vote.services.rate_limits import MICROSECONDS, RateLimit

HOUR = RateLimit("tests", burst=10, interval_us=3600 * MICROSECONDS)
QUICK = RateLimit("quick", burst=1, interval_us=MICROSECONDS // 20)
PROCESSES = 2
OURS = Installation("tests")

Both = tuple[RateLimiter, RateLimiter]


@pytest.fixture
def both(redis_url: str) -> Iterator[Both]:
    """The limiters of two processes."""
    with (
        closing(RateLimiter(redis_url, OURS, processes=PROCESSES)) as one,
        closing(RateLimiter(redis_url, OURS, processes=PROCESSES)) as two,
    ):
        yield one, two


def passes(limiter: RateLimiter, limit: RateLimit = HOUR, subject: str = "user:1") -> bool:
    try:
        limiter.acquire(limit, subject)
    except TooManyRequests:
        return False
    return True


def count(both: Both, tries: int, subject: str = "user:1") -> int:
    """How many of `tries` at once get through, half of them at each process."""
    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(lambda n: passes(both[n % 2], HOUR, subject), range(tries)))


def test_processes_together_let_exactly_the_limit_through(both: Both) -> None:
    assert count(both, 100) == HOUR.burst
    assert count(both, 100) == 0
    assert count(both, 100, "user:2") == HOUR.burst, "another subject has a bucket of its own"


def test_one_process_may_use_the_whole_limit_and_then_the_other_knows(both: Both) -> None:
    assert [passes(both[0]) for _ in range(HOUR.burst)] == [True] * HOUR.burst

    assert not passes(both[1])


def test_room_comes_back_and_the_answer_says_when(both: Both) -> None:
    assert passes(both[0], QUICK)
    with pytest.raises(TooManyRequests) as told:
        both[1].acquire(QUICK, "user:1")
    assert told.value.retry_after_s == 1

    wait_until(lambda: passes(both[1], QUICK), what="room again")


def test_an_empty_bucket_is_no_key(both: Both, redis_url: str) -> None:
    both[0].acquire(HOUR, "user:1")
    both[0].refund(HOUR, "user:1")

    assert not both[0]._script.registered_client.exists(key_of(OURS.id, HOUR, "user:1"))


def test_what_is_given_back_may_be_taken_again(both: Both) -> None:
    assert count(both, 20) == HOUR.burst
    both[0].refund(HOUR, "user:1")

    assert [passes(both[1]), passes(both[1])] == [True, False]


def test_a_refused_try_counts_nothing(both: Both) -> None:
    assert count(both, 200) == HOUR.burst
    for _ in range(HOUR.burst):
        both[0].refund(HOUR, "user:1")

    assert count(both, 200) == HOUR.burst


@pytest.mark.parametrize("frozen", [False, True], ids=["stopped", "frozen"])
def test_without_redis_limits_hold_within_twice_and_nobody_gets_an_error(
    both: Both, servers: Pair, frozen: bool
) -> None:
    before = count(both, 100)
    (servers.freeze_log if frozen else servers.kill_log)()
    try:
        alone = count(both, 100)
    finally:
        (servers.thaw_log if frozen else servers.restart_log)()

    assert before == HOUR.burst
    assert 1 <= alone <= HOUR.burst
    # Without a hand's work they count together again: what one lets through is no longer there for the other.
    wait_until(lambda: count(both, 100, f"user:{next(FRESH)}") == HOUR.burst, what="counted together again")


FRESH = iter(range(10, 10_000))


def test_what_was_let_through_uncounted_is_counted_with_the_next(both: Both) -> None:
    passed = 0
    for _ in range(20):
        for limiter in both:
            try:
                limiter.acquire_after_first(HOUR, "user:1")
            except TooManyRequests:
                continue
            passed += 1

    assert passed == HOUR.burst


def test_a_frozen_redis_is_asked_by_one_in_a_while(both: Both, servers: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter, asked = both[0], 0
    assert passes(limiter)
    script = limiter._script

    def counted(**question: Any) -> Any:
        nonlocal asked
        asked += 1
        return script(**question)

    monkeypatch.setattr(limiter, "_script", counted)
    servers.freeze_log()
    try:
        assert all(passes(limiter, HOUR, f"user:{number}") for number in range(1, 51))
    finally:
        servers.thaw_log()
        monkeypatch.undo()

    assert 1 <= asked <= 5, "each costs a timeout"


def test_two_installations_on_one_redis_count_apart(redis_url: str) -> None:
    with (
        closing(RateLimiter(redis_url, OURS, processes=1)) as ours,
        closing(RateLimiter(redis_url, Installation("others"), processes=1)) as theirs,
    ):
        ours.acquire(HOUR, "user:1", HOUR.burst)
        with pytest.raises(TooManyRequests):
            ours.acquire(HOUR, "user:1")
        theirs.acquire(HOUR, "user:1", HOUR.burst)
