"""Asking a Redis that may be away: the breaker, and whose errors are whose."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from vote.services.best_effort_redis import BestEffortRedis


def away() -> int:
    raise RedisConnectionError


def test_without_an_answer_it_is_not_asked_again_at_once() -> None:
    spared, asked = BestEffortRedis(), []

    assert spared.ask(away) is None

    assert spared._breaker.is_open
    assert spared.ask(lambda: asked.append("again")) is None
    assert asked == []


def test_an_answer_is_handed_on() -> None:
    spared = BestEffortRedis()

    assert spared.ask(lambda: 7) == 7
    assert not spared._breaker.is_open


def test_a_mistake_of_ours_is_no_outage() -> None:
    spared = BestEffortRedis()

    with pytest.raises(ZeroDivisionError):
        spared.ask(lambda: 1 // 0)
    assert not spared._breaker.is_open
