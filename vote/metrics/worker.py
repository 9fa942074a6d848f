"""Metrics of the worker: how soon ballots are recorded, and mails given up."""

from prometheus_client import Counter

from vote.metrics.registry import REGISTRY, ManySeconds

RECORDED_DELAY = ManySeconds(
    "vote_recorded_delay_seconds",
    "From the acceptance of a ballot to its commit in PostgreSQL, on the log's clock.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
MAIL_FAILED = Counter(
    "vote_mail_failed_total", "Mails given up: refused for good, or tried for half a day.", registry=REGISTRY
)
