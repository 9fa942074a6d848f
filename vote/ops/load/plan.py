"""The schedule of an open loop: each vote has a fixed due time, whatever becomes of the others.

Vote `n` is due `n / rate` seconds after the start, and everything else about it follows from `n`: every user votes once in
the first competition, then once in the next.
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

    def due(self, vote: int) -> float:
        """Return when to send this vote, in seconds after the start."""
        return vote / self.rate

    def user(self, vote: int) -> int:
        """Return which user casts it: 0 … users - 1."""
        return vote % self.users

    def competition(self, vote: int) -> int:
        """Return which competition it is cast in: 0 … competitions - 1."""
        return vote // self.users


def make(
    *, votes: int | None, rate: float | None, duration: float | None, users: int, connections: int, default: Plan
) -> Plan:
    """Return the plan for any two of votes, rate (per second) and duration (seconds); what is missing comes from `default`.

    Raises ValueError with a sentence for all three at once, and for more votes than so many users may cast.
    """
    if votes and rate and duration:
        raise ValueError("give two of --votes, --rate and --duration: the third follows from them")
    if duration and votes:
        rate = votes / duration
    rate = rate or default.rate
    if duration:
        votes = votes or max(1, round(rate * duration))
    plan = Plan(votes or default.votes, rate, min(users, votes or default.votes), connections)
    if plan.competitions > COMPETITIONS_MAX:
        raise ValueError(
            f"{plan.votes:,} votes by {plan.users:,} users need {plan.competitions:,} competitions, and the maximum is"
            f" {COMPETITIONS_MAX}: use at least {math.ceil(plan.votes / COMPETITIONS_MAX):,} --users"
        )
    return plan
