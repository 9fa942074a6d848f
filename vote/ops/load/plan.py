"""The schedule of an open loop: `rate` votes a second are due, whatever becomes of those before.

Everything else about vote `n` follows from `n`: every user votes once in the first competition, then once in the next.
"""

import math
from typing import NamedTuple

COMPETITIONS_MAX = 200  # the most votes of one account, half of what it may send at once


class Plan(NamedTuple):
    """A number of votes by a number of users, `rate` of them a second, over a number of connections."""

    votes: int
    rate: float
    users: int
    connections: int

    @property
    def seconds(self) -> float:
        """Return the duration of sending."""
        return self.votes / self.rate

    @property
    def competitions(self) -> int:
        """Return how many competitions it takes for each user to vote once in each."""
        return math.ceil(self.votes / self.users)

    def user(self, vote: int) -> int:
        """Return which user casts it: 0 … users - 1."""
        return vote % self.users

    def competition(self, vote: int) -> int:
        """Return which competition it is cast in: 0 … competitions - 1."""
        return vote // self.users


DEFAULT = Plan(votes=10_000, rate=1_000, users=1_000, connections=1_000)  # the production checklist's


def make(*, votes: int | None, rate: float | None, duration: float | None, users: int, connections: int) -> Plan:
    """Return the plan for any two of votes, rate (per second) and duration (seconds); what is missing comes from DEFAULT.

    Raises ValueError with a sentence for all three at once, and for more votes than so many users may cast.
    """
    if votes and rate and duration:
        raise ValueError("give two of --votes, --rate and --duration: the third follows from them")
    if duration and votes:
        rate = votes / duration
    rate = rate or DEFAULT.rate
    if duration:
        votes = votes or max(1, round(rate * duration))
    votes = votes or DEFAULT.votes
    plan = Plan(votes, rate, min(users, votes), connections)
    if plan.competitions > COMPETITIONS_MAX:
        raise ValueError(
            f"{plan.votes:,} votes by {plan.users:,} users need {plan.competitions:,} competitions, and the maximum is"
            f" {COMPETITIONS_MAX}: use at least {math.ceil(plan.votes / COMPETITIONS_MAX):,} --users"
        )
    return plan
