"""How long the database took for what the web asked of it: the web's own histogram in /metrics, before and after.

It has steps, not values: what is read from it is the end of a step, so never flattering. Where /metrics is not given to this
machine (METRICS_NETWORKS), nothing is known.
"""

import math
from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from vote.ops.load.api import Api

METRIC = "vote_database_seconds"
BEYOND_S = 10.0  # said of what was slower than the last step, 5 s: statements end there, so it is less than this

Steps = Counter[float]  # exchanges of at most so many seconds; math.inf: all


def read(api: Api) -> Steps | None:
    """The histogram as it is now, of all pools and processes of the deployment that answers; None where it is not given."""
    reply = api.ask("GET", "/metrics")
    return parse(reply.text) if reply.status == 200 else None


def parse(text: str) -> Steps:
    """The histogram in the text that /metrics answers with."""
    steps = Steps()
    for family in text_string_to_metric_families(text):
        if family.name == METRIC:
            for sample in family.samples:
                if sample.name == f"{METRIC}_bucket":
                    steps[float(sample.labels["le"])] += round(sample.value)
    return steps


def between(before: Steps | None, after: Steps | None) -> Steps | None:
    """What was asked between two readings; None when a reading lacks, nothing was asked, or the web began anew meanwhile."""
    if before is None or after is None or after[math.inf] <= before[math.inf]:
        return None
    return Steps({step: after[step] - before[step] for step in after})


def percentile_ms(steps: Steps, quantile: float) -> float:
    """Milliseconds within which this share of them was answered: the end of the step."""
    wanted = quantile * steps[math.inf]
    step = min(step for step, count in steps.items() if count >= wanted)
    return 1000 * (BEYOND_S if step == math.inf else step)
