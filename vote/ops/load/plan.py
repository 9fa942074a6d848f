"""Who votes when: an open loop. Each vote has its time beforehand, whatever becomes of the others.

Vote `n` is due `n / rate` seconds after the start, and follows from `n` alone: everybody votes once in the first
competition, then once in the next.
"""

import math
from typing import NamedTuple

COMPETITIONS_MAX = 200  # so an account casts as many votes at most, half of what one may send at once


class Plan(NamedTuple):
    """So many votes by so many users, `rate` of them a second, over so many connections."""

    votes: int
    rate: float
    users: int
    connections: int

    @property
    def seconds(self) -> float:
        """From the first to the end of the last second of sending."""
        return self.votes / self.rate

    @property
    def competitions(self) -> int:
        """How many it takes for each user to vote once in each."""
        return math.ceil(self.votes / self.users)

    def due(self, vote: int) -> float:
        """When this vote is to be sent, in seconds after the start."""
        return vote / self.rate

    def user(self, vote: int) -> int:
        """Who casts it: 0 … users - 1."""
        return vote % self.users

    def competition(self, vote: int) -> int:
        """In which it is cast: 0 … competitions - 1."""
        return vote // self.users


def make(
    *, votes: int | None, rate: float | None, duration: float | None, users: int, connections: int, default: Plan
) -> Plan:
    """The plan, from any two of votes, rate (a second) and duration (seconds); what is missing is the default's.

    Raises ValueError, with a sentence, for all three at once and for more votes than so many users may cast.
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
            f"{plan.votes:,} votes by {plan.users:,} users need {plan.competitions:,} competitions, and {COMPETITIONS_MAX}"
            f" is the most: take at least {math.ceil(plan.votes / COMPETITIONS_MAX):,} --users"
        )
    return plan
