"""Metrics of connections to PostgreSQL, and of the cache: every part that has them measures them."""

from prometheus_client import Counter, Gauge, Histogram

from vote.metrics.registry import REGISTRY

DATABASE_SIZE = Gauge(
    "vote_database_pool_size",
    "Maximum connections to PostgreSQL, by pool, over all processes of the part.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
DATABASE_IN_USE = Gauge(
    "vote_database_in_use",
    "Connections to PostgreSQL in use.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
DATABASE_WAITING = Gauge(
    "vote_database_waiting",
    "Callers waiting for a connection to PostgreSQL.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
DATABASE_REFUSED = Counter(
    "vote_database_refused_total",
    "Callers that PostgreSQL did not serve: no connection was free in time (exhausted), it was too slow (slow), or it"
    " could not be reached (away).",
    ["pool", "why"],
    registry=REGISTRY,
)
DATABASE_SECONDS = Histogram(
    "vote_database_seconds",
    "Duration of one round trip to PostgreSQL: a statement or a commit.",
    ["pool"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
SLOW_STATEMENTS = Counter(
    "vote_slow_statements_total", "Statements that took LOG_SLOW_MS or longer.", registry=REGISTRY
)

CACHE = Counter(
    "vote_cache_total",
    "Readings of the cache, by what is cached and whether it was there (hit) or not, or not in time (miss).",
    ["cache", "outcome"],
    registry=REGISTRY,
)
