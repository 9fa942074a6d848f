"""Measure how long the database took to serve the web: the web's own histogram in /metrics, before and after the load.

It has buckets, not values: percentiles are the upper bound of a bucket, so never too good. Unknown where this machine may
not read /metrics (METRICS_NETWORKS).
"""

import math
from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from vote.ops.load.api import Api

METRIC = "vote_database_seconds"
BEYOND_S = 10.0  # for values above the last bucket, 5 s: statements time out there, so they take less than this

Steps = Counter[float]  # number of exchanges by upper bound in seconds, cumulative; math.inf: all


def read(api: Api) -> Steps | None:
    """Return the current histogram over all pools and processes; None if /metrics is not accessible."""
    reply = api.ask("GET", "/metrics")
    return parse(reply.text) if reply.status == 200 else None


def parse(text: str) -> Steps:
    """Parse the histogram from the text of /metrics."""
    steps = Steps()
    for family in text_string_to_metric_families(text):
        if family.name == METRIC:
            for sample in family.samples:
                if sample.name == f"{METRIC}_bucket":
                    steps[float(sample.labels["le"])] += round(sample.value)
    return steps


def between(before: Steps | None, after: Steps | None) -> Steps | None:
    """Return the exchanges between two readings; None if a reading is missing, there were none, or the web restarted."""
    if before is None or after is None or after[math.inf] <= before[math.inf]:
        return None
    return Steps({step: after[step] - before[step] for step in after})


def percentile_ms(steps: Steps, quantile: float) -> float:
    """Return the milliseconds within which this share of exchanges was answered: the upper bound of a bucket."""
    wanted = quantile * steps[math.inf]
    step = min(step for step, count in steps.items() if count >= wanted)
    return 1000 * (BEYOND_S if step == math.inf else step)
