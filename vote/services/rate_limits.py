"""What is limited, and by how much. The counting is in `limiter.py`; which request counts where is said by who asks.

Nothing about voting is limited by address: a hall of people shares one.
"""

from typing import NamedTuple, Self

from vote.config import Settings

MICROSECONDS = 1_000_000


class RateLimit(NamedTuple):
    """`burst` at once, then one more every `interval_us` microseconds."""

    name: str
    burst: int
    interval_us: int

    @property
    def span_s(self) -> float:
        """Seconds in which a full bucket leaks empty."""
        return self.burst * self.interval_us / MICROSECONDS

    def shared_by(self, processes: int) -> "RateLimit":
        """The part of one process while nobody counts for all: together they allow no more than the whole."""
        return self._replace(burst=max(1, self.burst // processes), interval_us=self.interval_us * processes)


class RateLimits(NamedTuple):
    """All limits on strangers and accounts."""

    votes: RateLimit  # per account
    api: RateLimit  # per account, or per network where nobody is logged in
    login_failures: RateLimit  # per network
    logins: RateLimit  # right passwords, per account: whoever knows one has no need of more
    registrations: RateLimit  # per network
    mails: RateLimit  # asked for, per account, or per network where nobody is logged in

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The limits of these settings."""
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
