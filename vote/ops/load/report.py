"""Present a result as lines for a terminal, and as JSON. `html_report` makes a page of it."""

import math
from typing import Any

from vote.ops.load.measurements import Histogram, Measured, Steps, percentile_ms
from vote.ops.load.run import Result

QUANTILES = (0.5, 0.9, 0.99, 0.999)
FINDINGS_SHOWN = 20
BUSY = 0.9  # of a core: above this, the generator may be the bottleneck


def as_json(result: Result) -> dict[str, Any]:
    """Return the whole result, durations in milliseconds."""
    plan, measured = result.order.plan, result.measured
    return {
        "passes": result.passes,
        "target": result.order.target.url,
        "began": result.began.isoformat(timespec="seconds"),
        "plan": plan._asdict() | {"seconds": plan.seconds, "competitions": list(result.competitions)},
        "accepted": measured.accepted,
        "accepted_per_second": round(measured.per_second, 1),
        "statuses": {str(status): count for status, count in measured.by_status().items()},
        "latency_ms": _figures(measured.latency),
        "from_sending_ms": _figures(measured.service),
        "database_ms": None if result.database is None else _figures(result.database),
        "database_for_web_ms": None if result.exchanges is None else _steps(result.exchanges),
        "limits": [row._asdict() | {"met": row.is_met} for row in result.rows],
        "settled": result.verdict.settled,
        "lost": result.verdict.lost,
        "duplicate": result.verdict.duplicate,
        "phantom": result.verdict.phantom,
        "generator": {
            "core": round(measured.core, 3),
            "late_ms": round(1000 * measured.late_s, 1),
            "sent_again": measured.sent_again,
        },
    }


def as_lines(result: Result) -> list[str]:
    """Return the result for a terminal."""
    measured = result.measured
    spread = ", ".join(f"{name} {value:,.1f}" for name, value in durations(measured.latency).items())
    return [
        summary(result),
        f"Accepted {measured.accepted:,}, {measured.per_second:,.0f} a second. Latency from the due time, ms: {spread}.",
        generator(measured),
        "",
        *(
            f"{'ok' if state == 'ok' else 'MISSED':6}  {what}: {value} (limit {limit})"
            for what, value, limit, state in (row.cells() for row in result.rows)
        ),
        *(f"  {finding}" for finding in findings(result)),
        "",
        "The load passes." if result.passes else "The load does not pass.",
    ]


def durations(histogram: Histogram) -> dict[str, float]:
    """Return mean, percentiles and maximum by their names, in milliseconds."""
    return {
        "mean": round(histogram.mean_ms, 3),
        **{f"p{100 * quantile:g}": round(histogram.percentile_ms(quantile), 3) for quantile in QUANTILES},
        "max": round(histogram.max_us / 1000, 3),
    }


def _figures(histogram: Histogram) -> dict[str, float]:
    return {"count": histogram.count, **durations(histogram)}


def _steps(exchanges: Steps) -> dict[str, float]:
    return {
        "count": exchanges[math.inf],
        **{f"p{100 * quantile:g}": percentile_ms(exchanges, quantile) for quantile in QUANTILES},
    }


def summary(result: Result) -> str:
    """Return a sentence about what was run."""
    plan, count = result.order.plan, len(result.competitions)
    origin = "registered over HTTP" if result.order.register else "prepared in the database"
    return (
        f"{plan.votes:,} votes by {plan.users:,} users ({origin}), {plan.rate:,g} due a second for {plan.seconds:,.1f} s,"
        f" over {plan.connections:,} connections, in {count} competition{'s' if count > 1 else ''}."
    )


def generator(measured: Measured) -> str:
    """Return sentences about the generator itself."""
    says = (
        f"The generator used {measured.core:.0%} of a core and was at most {1000 * measured.late_s:,.0f} ms late, which"
        f" the latencies include. It resent {measured.sent_again:,} votes because an idle connection was closed."
    )
    return says + (" It may be the bottleneck: run it on a separate machine." if measured.core > BUSY else "")


def findings(result: Result) -> list[str]:
    """Return what is wrong with the counted votes, a sentence each."""
    verdict = result.verdict
    sentences = []
    if not verdict.settled:
        sentences.append(f"not settled: votes missing after {result.order.wait_s:g} s may still be on their way")
    for name, found in (("lost", verdict.lost), ("duplicate", verdict.duplicate), ("phantom", verdict.phantom)):
        sentences += [f"{name}: {sentence}" for sentence in found[:FINDINGS_SHOWN]]
        if len(found) > FINDINGS_SHOWN:
            sentences.append(f"{name}: and {len(found) - FINDINGS_SHOWN:,} more")
    return sentences
