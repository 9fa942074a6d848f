"""Present a result: as lines, as JSON, and as one self-contained HTML page."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

from vote.ops.load import exchanges, plots
from vote.ops.load.exchanges import Steps
from vote.ops.load.histogram import Histogram
from vote.ops.load.limits import Row
from vote.ops.load.measurements import NO_ANSWER, SLICES, Measured
from vote.ops.load.plots import Line
from vote.ops.load.run import Result

QUANTILES = (0.5, 0.9, 0.99, 0.999)
BARS_PER_DOUBLING = 4
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
        "database_for_web_ms": None if result.asked is None else _steps(result.asked),
        "limits": [row._asdict() | {"met": row.is_met} for row in result.rows],
        "settled": result.verdict.settled,
        "lost": result.verdict.lost,
        "duplicate": result.verdict.duplicate,
        "phantom": result.verdict.phantom,
        "generator": {
            "core": round(_core(measured), 3),
            "late_ms": round(1000 * measured.late_s, 1),
            "sent_again": measured.sent_again,
        },
    }


def as_lines(result: Result) -> list[str]:
    """Return the result for a terminal."""
    measured = result.measured
    figures = _figures(measured.latency)
    spread = ", ".join(f"{name} {figures[name]:,.1f}" for name in figures if name != "count")
    lines = [
        _summary(result),
        f"Accepted {measured.accepted:,}, {measured.per_second:,.0f} a second. Latency from the due time, ms: {spread}.",
        _generator(measured),
        "",
        *(
            f"{'ok    ' if row.is_met else 'MISSED'}  {label}: {value} (limit {limit})"
            for row, (label, value, limit, _) in ((row, _limit(row)) for row in result.rows)
        ),
        *(f"  {finding}" for finding in _findings(result)),
        "",
        "The load passes." if result.passes else "The load does not pass.",
    ]
    return lines


def as_html(result: Result) -> str:
    """Return the HTML page."""
    measured = result.measured
    outcome = "passed" if result.passes else "not passed"
    latencies = [
        (name, *(f"{value:,}" if name == "count" else f"{value:,.1f}" for name, value in _figures(histogram).items()))
        for name, histogram in (("from the due time", measured.latency), ("from sending", measured.service))
    ]
    fields = {
        "target": escape(result.order.target.url),
        "outcome": outcome,
        "headline": escape(f"Load test {outcome}: {measured.accepted:,} votes accepted, {result.verdict.line()}"),
        "when": result.began.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "version": f"vote-app {version('vote-app')}",
        "summary": escape(_summary(result)),
        "limits": _table(("", "measured", "limit", ""), [_limit(row) for row in result.rows]),
        "findings": _list(_findings(result)),
        "latencies": _table(("ms", *_figures(measured.latency)), latencies),
        "percentiles": _percentiles(measured),
        "histogram": _histogram(measured.latency),
        "course": _course(measured),
        "statuses": _table(("status", "votes"), [(_status_text(s), f"{n:,}") for s, n in measured.by_status().items()]),
        "generator": escape(_generator(measured)),
    }
    return Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8")).substitute(fields)


def _figures(histogram: Histogram) -> dict[str, float]:
    figures: dict[str, float] = {"count": histogram.count, "mean": round(histogram.mean_ms, 3)}
    figures |= {f"p{100 * quantile:g}": round(histogram.percentile_ms(quantile), 3) for quantile in QUANTILES}
    return figures | {"max": round(histogram.max_us / 1000, 3)}


def _steps(asked: Steps) -> dict[str, float]:
    figures: dict[str, float] = {"count": asked[math.inf]}
    return figures | {f"p{100 * quantile:g}": exchanges.percentile_ms(asked, quantile) for quantile in QUANTILES}


def _summary(result: Result) -> str:
    plan, count = result.order.plan, len(result.competitions)
    origin = "registered over HTTP" if result.order.register else "prepared in the database"
    return (
        f"{plan.votes:,} votes by {plan.users:,} users ({origin}), {plan.rate:,g} due a second for {plan.seconds:,.1f} s,"
        f" over {plan.connections:,} connections, in {count} competition{'s' if count > 1 else ''}."
    )


def _core(measured: Measured) -> float:
    return measured.cpu_s / measured.took_s if measured.took_s else 0.0


def _generator(measured: Measured) -> str:
    says = (
        f"The generator used {_core(measured):.0%} of a core and was at most {1000 * measured.late_s:,.0f} ms late, which"
        f" the latencies include. It resent {measured.sent_again:,} votes because an idle connection was closed."
    )
    return says + (" It may be the bottleneck: run it on a separate machine." if _core(measured) > BUSY else "")


def _findings(result: Result) -> list[str]:
    verdict = result.verdict
    findings = [f"not settled: votes missing after {result.order.wait_s:g} s may still be on their way"] * (
        not verdict.settled
    )
    for name in ("lost", "duplicate", "phantom"):
        sentences: list[str] = getattr(verdict, name)
        findings += [f"{name}: {sentence}" for sentence in sentences[:FINDINGS_SHOWN]]
        if len(sentences) > FINDINGS_SHOWN:
            findings.append(f"{name}: and {len(sentences) - FINDINGS_SHOWN:,} more")
    return findings


def _value(value: float, row: Row) -> str:
    return f"{value:,.0f} {row.unit}".strip()


def _limit(row: Row) -> tuple[str, ...]:
    return row.what, _value(row.measured, row), _value(row.limit, row), "ok" if row.is_met else "missed"


def _status_text(status: int) -> str:
    return "no answer" if status == NO_ANSWER else str(status)


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        mark = ' class="bad"' if "missed" in cells else ""
        return f"<tr{mark}>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in body)}</table>"


def _list(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>" if sentences else ""


def _percentiles(measured: Measured) -> str:
    """Plot percentiles as HdrHistogram does: each nine takes the same width."""
    nines = max(1, math.ceil(math.log10(max(10, measured.latency.count))))
    steps = [step / 20 for step in range(20 * nines + 1)]

    def points(histogram: Histogram) -> list[tuple[float, float]]:
        return [(nine, histogram.percentile_ms(1 - 10**-nine)) for nine in steps]

    series = [Line("from the due time", "one", points(measured.latency))]
    series.append(Line("from sending", "two", points(measured.service)))
    ticks = [(float(nine), f"{100 * (1 - 10**-nine):g} %") for nine in range(nines + 1)]
    title = "Latency that this share of the votes did not exceed"
    return plots.lines(title, series, x_ticks=ticks, x_name="share of the votes", y_name="ms")


def _histogram(histogram: Histogram) -> str:
    counts: Counter[int] = Counter()
    for top_ms, count in histogram.buckets_ms():
        counts[math.floor(BARS_PER_DOUBLING * math.log2(max(top_ms, 0.01)))] += count
    edges = range(min(counts, default=0), max(counts, default=0) + 1)
    shown = [(_ms(2 ** (edge / BARS_PER_DOUBLING)), counts[edge]) for edge in edges]
    return plots.bars(
        "Votes by latency; each bar's upper bound is 1.19 times the previous one's",
        shown,
        x_name="ms, from the due time",
        y_name="votes",
    )


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _course(measured: Measured) -> str:
    each = measured.plan.seconds / SLICES
    filled: Mapping[float, Histogram] = {
        (number + 0.5) * each: part.latency for number, part in enumerate(measured.slices) if part.latency.count
    }
    series = [
        Line("p99", "two", [(time, latency.percentile_ms(0.99)) for time, latency in filled.items()]),
        Line("median", "one", [(time, latency.percentile_ms(0.5)) for time, latency in filled.items()]),
    ]
    ticks = [(measured.plan.seconds * part / 5, f"{measured.plan.seconds * part / 5:.3g}") for part in range(6)]
    title = "Latency of the votes that were due at each time"
    return plots.lines(title, series, x_ticks=ticks, x_name="s since the start", y_name="ms")
