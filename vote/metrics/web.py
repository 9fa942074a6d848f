"""Metrics of the web: requests, ballots, live results."""

from prometheus_client import Counter, Gauge, Histogram

from vote.metrics.registry import REGISTRY, ManySeconds

REQUESTS = Counter(
    "vote_requests_total",
    "Requests answered, by route, method and status.",
    ["route", "method", "status"],
    registry=REGISTRY,
)
REQUEST_SECONDS = ManySeconds(
    "vote_request_seconds",
    "Time to answer a request.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
    registry=REGISTRY,
)
SLOW_VOTES = Counter(
    "vote_slow_votes_total",
    "Votes (POST /vote) answered without a 5xx, but after more than 500 ms: bad for the objective, as the 5xx are.",
    registry=REGISTRY,
)
LIMITED = Counter("vote_limited_total", "Requests refused by a rate limit, by limit.", ["limit"], registry=REGISTRY)
CUT_OFF = Counter(
    "vote_cut_off_total",
    "Connections closed because the client was too slow to send a head or body, or to read.",
    ["waiting_for"],
    registry=REGISTRY,
)

BALLOTS = Counter("vote_ballots_total", "Ballots cast, by what the log decided.", ["outcome"], registry=REGISTRY)
ACCEPTED = Counter("vote_accepted_total", "Ballots accepted: on disk in the ballot log.", registry=REGISTRY)
BATCH_BALLOTS = Histogram(
    "vote_batch_ballots",
    "Ballots that shared one call to the log.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
    registry=REGISTRY,
)
LOG_FSYNC_DELAYED = Counter(
    "vote_log_fsync_delayed_total",
    "Calls with ballots that the log took longer than 100 ms to answer. Its disk is part of each.",
    registry=REGISTRY,
)

WATCHERS = Gauge("vote_watchers", "Open live-result sockets.", multiprocess_mode="livesum", registry=REGISTRY)
SNAPSHOT_DELAY = ManySeconds(
    "vote_snapshot_delay_seconds",
    "From the commit of a vote to the send of its tally, for each socket that gets it.",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2, 5, 10, 30),
    registry=REGISTRY,
)
