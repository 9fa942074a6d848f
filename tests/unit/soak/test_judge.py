"""The soak's judgement on samples made for it: noise and steps pass, growth that is planted does not."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.soak import judge
from tests.soak.judge import LIMITS, Row
from tests.soak.soak import Found

MINUTES_10, DAY = 600.0, 24 * 3600.0
LEVEL = {"memory": 60.0, "descriptors": 50.0, "connections": 15.0, "watchers": 20.0, "keys": 40.0}


def judged(kind: str, growth_per_hour: float, seconds: float, noise: Callable[[float], float]) -> Row:
    """What is said of a figure that grows so much, and wobbles."""
    every = seconds / 500
    points = [(n * every, LEVEL[kind] + growth_per_hour * n * every / 3600 + noise(n * every)) for n in range(500)]
    return judge.judge({(kind, "it"): points}, after_s=judge.warm_up(seconds))[0]


def wobble(kind: str) -> Callable[[float], float]:
    """What comes and goes: as much as the noise that the limit allows for, up and down."""
    dice = random.Random(kind)
    return lambda _at: dice.uniform(-0.5, 0.5) * LIMITS[kind].noise


@pytest.mark.parametrize("kind", LEVEL)
@pytest.mark.parametrize("seconds", [MINUTES_10, DAY])
def test_what_comes_and_goes_is_no_growth(kind: str, seconds: float) -> None:
    assert judged(kind, 0.0, seconds, wobble(kind)).is_kept


@pytest.mark.parametrize("kind", LEVEL)
@pytest.mark.parametrize("seconds", [MINUTES_10, DAY])
def test_planted_growth_is_seen_through_the_noise(kind: str, seconds: float) -> None:
    growth = 1.5 * LIMITS[kind].over(seconds - judge.warm_up(seconds))

    found = judged(kind, growth, seconds, wobble(kind))

    assert not found.is_kept
    assert "GROWS" in found.line()
    assert found.per_hour == pytest.approx(growth, rel=0.5)


def test_a_watcher_in_ten_that_is_never_forgotten_is_seen_in_ten_minutes_and_one_an_hour_in_a_day() -> None:
    assert not judged("descriptors", 0.1 * 2 * 3600, MINUTES_10, wobble("descriptors")).is_kept
    assert judged("descriptors", 2.0, MINUTES_10, wobble("descriptors")).is_kept
    assert not judged("descriptors", 2.0, DAY, wobble("descriptors")).is_kept


def test_a_warm_up_is_not_judged_and_what_falls_does_not_grow() -> None:
    assert judged("memory", 0.0, MINUTES_10, lambda at: min(at, 170.0)).is_kept
    assert judged("memory", -500.0, MINUTES_10, lambda _at: 0.0).is_kept


def test_a_run_that_was_too_short_says_so() -> None:
    with pytest.raises(ValueError, match="say nothing"):
        judge.judge({("memory", "it"): [(float(n), 1.0) for n in range(9)]}, after_s=0.0)


def test_a_soak_is_clean_only_when_nothing_grew_was_lost_fell_over_or_went_unanswered() -> None:
    flat, steep = judged("keys", 0.0, MINUTES_10, wobble("keys")), judged("keys", 9e9, MINUTES_10, wobble("keys"))
    good = Found(MINUTES_10, [flat], set(), 100, [], Counter(page=1000), Counter())

    assert good.is_clean
    assert good._replace(failed=Counter({"page: 503": 10})).is_clean
    for bad in (
        good._replace(rows=[flat, steep]),
        good._replace(restarted={"worker"}),
        good._replace(wrong=["round 1: lost 1"]),
        good._replace(votes=0),
        good._replace(failed=Counter({"page: 503": 11})),
    ):
        assert not bad.is_clean
        assert bad.lines()[-1] == "The soak is NOT clean."
