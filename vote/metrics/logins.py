"""Metrics of logins. Apart from the web's: the worker imports what sends mail about them."""

from prometheus_client import Counter

from vote.metrics.registry import REGISTRY

LOGIN_OUTCOMES = ("ok", "wrong", "delayed", "locked", "disabled")
LOGINS = Counter(
    "vote_login_total",
    "Logins, by outcome: ok, wrong (name or password), delayed (too many tries), locked, disabled.",
    ["outcome"],
    registry=REGISTRY,
)
