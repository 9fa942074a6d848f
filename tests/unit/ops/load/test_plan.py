"""Who votes when, and what cannot be asked for."""

from collections import Counter

import pytest

from vote.ops.load import plan
from vote.ops.load.plan import Plan


def make(
    *, votes: int | None = None, rate: float | None = None, duration: float | None = None, users: int = 1_000
) -> Plan:
    return plan.make(votes=votes, rate=rate, duration=duration, users=users, connections=8)


def test_by_default_it_is_what_the_checklist_asks_for() -> None:
    wanted = make()

    assert (wanted.votes, wanted.rate, wanted.users, wanted.competitions, wanted.seconds) == (
        10_000,
        1_000,
        1_000,
        10,
        10,
    )


@pytest.mark.parametrize(
    ("given", "votes", "rate"),
    [
        ({"votes": 500}, 500, 1_000),
        ({"rate": 50}, 10_000, 50),
        ({"duration": 3}, 3_000, 1_000),
        ({"votes": 600, "duration": 3}, 600, 200),
        ({"rate": 20, "duration": 3}, 60, 20),
        ({"votes": 600, "rate": 300}, 600, 300),
    ],
    ids=str,
)
def test_what_is_not_given_follows_from_what_is(given: dict[str, int], votes: int, rate: float) -> None:
    wanted = make(**given)

    assert (wanted.votes, wanted.rate) == (votes, rate)


def test_everybody_votes_once_in_each_competition() -> None:
    wanted = make(votes=1_050, users=100)

    cast = Counter((wanted.competition(vote), wanted.user(vote)) for vote in range(wanted.votes))

    assert wanted.competitions == 11
    assert set(cast.values()) == {1}
    assert {competition for competition, _ in cast} == set(range(11))


def test_nobody_is_made_who_would_not_vote() -> None:
    assert make(votes=30, users=1_000).users == 30


def test_more_than_can_be_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="give two of"):
        make(votes=10, rate=10, duration=1)
    with pytest.raises(ValueError, match="use at least 50 --users"):
        make(votes=10_000, users=10)
