"""The rate limits and their sizes. `rate_limiter.py` counts; callers choose the limit that applies.

Voting is never limited by address: a hall of people shares one.
"""

from typing import NamedTuple, Self

from vote.config import Settings

MICROSECONDS = 1_000_000


class RateLimit(NamedTuple):
    """A token bucket of `burst` requests, refilled with one every `interval_us` microseconds."""

    name: str
    burst: int
    interval_us: int

    @property
    def span_s(self) -> float:
        """Return the seconds in which an empty bucket fills up."""
        return self.burst * self.interval_us / MICROSECONDS

    def shared_by(self, processes: int) -> "RateLimit":
        """Return one process's share while Redis is away: together the processes stay within the whole limit."""
        return self._replace(burst=max(1, self.burst // processes), interval_us=self.interval_us * processes)


class RateLimits(NamedTuple):
    """The rate limits on accounts and networks."""

    votes: RateLimit  # per account
    api: RateLimit  # per account, or per network without a login
    login_failures: RateLimit  # per network
    logins: RateLimit  # correct passwords, per account: an owner needs no more
    registrations: RateLimit  # per network
    mails: RateLimit  # requested mails, per account, or per network without a login

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the limits of these settings."""
        return cls(
            votes=RateLimit("votes", settings.limit_votes_burst, _every(1, settings.limit_votes_per_s)),
            api=RateLimit("api", settings.limit_api_per_s, _every(1, settings.limit_api_per_s)),
            login_failures=RateLimit(
                "login failures",
                settings.limit_login_failures_per_minute,
                _every(60, settings.limit_login_failures_per_minute),
            ),
            logins=RateLimit("log-ins", settings.limit_logins_per_minute, _every(60, settings.limit_logins_per_minute)),
            mails=RateLimit("mails", settings.limit_mails_per_hour, _every(3600, settings.limit_mails_per_hour)),
            registrations=RateLimit(
                "registrations",
                settings.limit_registrations_per_hour,
                _every(3600, settings.limit_registrations_per_hour),
            ),
        )


def _every(seconds: int, number: int) -> int:
    return seconds * MICROSECONDS // number
