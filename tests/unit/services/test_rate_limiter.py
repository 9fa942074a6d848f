"""Token buckets of one process: a burst, then the rate, for each subject alone; and a memory that ends."""

import pytest

from vote.errors import TooManyRequests
from vote.services import rate_limiter
from vote.services.rate_limiter import LocalRateLimiter
from vote.services.rate_limits import MICROSECONDS, RateLimit

BURST, PER_S = 400, 20
LIMIT = RateLimit("tests", burst=BURST, interval_us=MICROSECONDS // PER_S)


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def buckets(clock: Clock) -> LocalRateLimiter:
    return LocalRateLimiter(clock=clock)


def passes(limit: LocalRateLimiter, subject: str = "user:1") -> bool:
    try:
        limit.acquire(LIMIT, subject)
    except TooManyRequests:
        return False
    return True


def test_a_burst_passes_and_then_the_rate() -> None:
    limit = buckets(clock := Clock())

    assert sum(passes(limit) for _ in range(2 * BURST)) == BURST
    assert passes(limit, "user:2"), "each subject has a bucket of its own"
    clock.now += 1.0
    assert sum(passes(limit) for _ in range(BURST)) == PER_S
    clock.now += 3600
    assert sum(passes(limit) for _ in range(2 * BURST)) == BURST, "a bucket holds no more than the burst"


def test_who_is_refused_hears_how_long_to_wait_and_is_not_counted() -> None:
    limit = buckets(clock := Clock())
    for _ in range(BURST):
        limit.acquire(LIMIT, "user:1")

    with pytest.raises(TooManyRequests) as refused:
        limit.acquire(LIMIT, "user:1")

    assert refused.value.retry_after_s == 1, "whole seconds, rounded up"
    clock.now += 1 / PER_S
    assert passes(limit)


def test_what_is_remembered_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "SUBJECTS_MAX", 3)
    limit = buckets(Clock())

    for account in range(10):
        limit.acquire(LIMIT, f"user:{account}")

    assert len(limit._empty_at) == 3
