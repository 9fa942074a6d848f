"""Prometheus metrics, all in one place. The multiprocess directory sums them over all web processes."""

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram


class ManySeconds(Histogram):
    """A histogram that takes many observations at once: each one alone costs a lock and writes to a shared file."""

    def observe_all(self, amounts: Iterable[float]) -> None:
        """Record every amount, as `observe` would."""
        amounts = list(amounts)
        self._sum.inc(sum(amounts))
        for bucket, count in Counts(bisect_left(self._upper_bounds, amount) for amount in amounts).items():
            self._buckets[bucket].inc(count)


REQUESTS = Counter(
    "vote_requests_total", "Requests answered, by route, method and status.", ["route", "method", "status"]
)
REQUEST_SECONDS = ManySeconds(
    "vote_request_seconds",
    "Time to answer a request.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)
SLOW_VOTES = Counter(
    "vote_slow_votes_total",
    "Votes (POST /vote) answered without a 5xx, but after more than 500 ms: bad for the objective, as the 5xx are.",
)
BALLOTS = Counter("vote_ballots_total", "Ballots cast, by what the log decided.", ["outcome"])
ACCEPTED = Counter("vote_accepted_total", "Ballots accepted: on disk in the ballot log.")
BATCH_BALLOTS = Histogram(
    "vote_batch_ballots", "Ballots that shared one call to the log.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
)
LIMITED = Counter("vote_limited_total", "Requests refused by a rate limit, by limit.", ["limit"])
CUT_OFF = Counter(
    "vote_cut_off_total",
    "Connections closed because the client was too slow to send a head or body, or to read.",
    ["waiting_for"],
)
SECRETS_OUTDATED = Gauge(
    "vote_secrets_outdated",
    "Secrets that a restart would change, in the process with most of them.",
    multiprocess_mode="livemax",
)
WATCHERS = Gauge("vote_watchers", "Open live-result sockets.", multiprocess_mode="livesum")
DATABASE_SIZE = Gauge(
    "vote_database_pool_size",
    "Maximum connections to PostgreSQL, by pool, over all web processes.",
    ["pool"],
    multiprocess_mode="livesum",
)
DATABASE_IN_USE = Gauge(
    "vote_database_in_use", "Connections to PostgreSQL in use.", ["pool"], multiprocess_mode="livesum"
)
DATABASE_WAITING = Gauge(
    "vote_database_waiting", "Callers waiting for a connection to PostgreSQL.", ["pool"], multiprocess_mode="livesum"
)
DATABASE_REFUSED = Counter(
    "vote_database_refused_total",
    "Callers that PostgreSQL did not serve: no connection was free in time (exhausted), it was too slow (slow), or it"
    " could not be reached (away).",
    ["pool", "why"],
)
DATABASE_SECONDS = Histogram(
    "vote_database_seconds",
    "Duration of one round trip to PostgreSQL: a statement or a commit.",
    ["pool"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
