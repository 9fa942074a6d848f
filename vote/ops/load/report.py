"""A result for people and machines: as lines, as JSON, and as one HTML page that opens offline and needs nothing else."""

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
BUSY = 0.9  # of a core: then the generator may be what limits


def as_json(result: Result) -> dict[str, Any]:
    """Everything, durations in milliseconds."""
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
    """The result for a terminal."""
    measured = result.measured
    figures = _figures(measured.latency)
    spread = ", ".join(f"{name} {figures[name]:,.1f}" for name in figures if name != "count")
    found = [
        _what(result),
        f"Accepted {measured.accepted:,}, {measured.per_second:,.0f} a second. Latency from the time due, ms: {spread}.",
        _generator(measured),
        "",
        *(
            f"{'ok    ' if row.is_met else 'MISSED'}  {what}: {value} (limit {limit})"
            for row, (what, value, limit, _) in ((row, _limit(row)) for row in result.rows)
        ),
        *(f"  {finding}" for finding in _findings(result)),
        "",
        "The load passes." if result.passes else "The load does not pass.",
    ]
    return found


def as_html(result: Result) -> str:
    """The page."""
    measured = result.measured
    word = "passed" if result.passes else "not passed"
    latencies = [
        (name, *(f"{value:,}" if name == "count" else f"{value:,.1f}" for name, value in _figures(one).items()))
        for name, one in (("from the time due", measured.latency), ("from sending", measured.service))
    ]
    fields = {
        "target": escape(result.order.target.url),
        "word": word,
        "headline": escape(f"Load test {word}: {measured.accepted:,} votes accepted, {result.verdict.line()}"),
        "when": result.began.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "version": f"vote-app {version('vote-app')}",
        "what": escape(_what(result)),
        "limits": _table(("", "measured", "limit", ""), [_limit(row) for row in result.rows]),
        "findings": _list(_findings(result)),
        "latencies": _table(("ms", *_figures(measured.latency)), latencies),
        "percentiles": _percentiles(measured),
        "histogram": _histogram(measured.latency),
        "course": _course(measured),
        "statuses": _table(("status", "votes"), [(_said(s), f"{n:,}") for s, n in measured.by_status().items()]),
        "generator": escape(_generator(measured)),
    }
    return Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8")).substitute(fields)


def _figures(histogram: Histogram) -> dict[str, float]:
    found: dict[str, float] = {"count": histogram.count, "mean": round(histogram.mean_ms, 3)}
    found |= {f"p{100 * quantile:g}": round(histogram.percentile_ms(quantile), 3) for quantile in QUANTILES}
    return found | {"max": round(histogram.max_us / 1000, 3)}


def _steps(asked: Steps) -> dict[str, float]:
    found: dict[str, float] = {"count": asked[math.inf]}
    return found | {f"p{100 * quantile:g}": exchanges.percentile_ms(asked, quantile) for quantile in QUANTILES}


def _what(result: Result) -> str:
    plan, count = result.order.plan, len(result.competitions)
    people = "registered over HTTP" if result.order.register else "prepared in the database"
    return (
        f"{plan.votes:,} votes by {plan.users:,} users ({people}), {plan.rate:,g} due a second for {plan.seconds:,.1f} s,"
        f" over {plan.connections:,} connections, in {count} competition{'s' if count > 1 else ''}."
    )


def _core(measured: Measured) -> float:
    return measured.cpu_s / measured.took_s if measured.took_s else 0.0


def _generator(measured: Measured) -> str:
    says = (
        f"The generator used {_core(measured):.0%} of a core and was late by {1000 * measured.late_s:,.0f} ms at most"
        f" (this is in the latencies); {measured.sent_again:,} votes were sent again, since an idle connection was closed."
    )
    return says + (" It was busy itself: measure from a machine of its own." if _core(measured) > BUSY else "")


def _findings(result: Result) -> list[str]:
    verdict = result.verdict
    found = [f"not settled: after {result.order.wait_s:g} s what is missing may still be on its way"] * (
        not verdict.settled
    )
    for name in ("lost", "duplicate", "phantom"):
        sentences: list[str] = getattr(verdict, name)
        found += [f"{name}: {sentence}" for sentence in sentences[:FINDINGS_SHOWN]]
        if len(sentences) > FINDINGS_SHOWN:
            found.append(f"{name}: and {len(sentences) - FINDINGS_SHOWN:,} more")
    return found


def _value(value: float, row: Row) -> str:
    return f"{value:,.0f} {row.unit}".strip()


def _limit(row: Row) -> tuple[str, ...]:
    return row.what, _value(row.measured, row), _value(row.limit, row), "ok" if row.is_met else "missed"


def _said(status: int) -> str:
    return "no answer" if status == NO_ANSWER else str(status)


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        mark = ' class="bad"' if "missed" in cells else ""
        return f"<tr{mark}>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in body)}</table>"


def _list(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in sentences)}</ul>" if sentences else ""


def _percentiles(measured: Measured) -> str:
    """Each nine of the percentile takes the same width, as HdrHistogram draws it."""
    nines = max(1, math.ceil(math.log10(max(10, measured.latency.count))))
    steps = [step / 20 for step in range(20 * nines + 1)]

    def points(histogram: Histogram) -> list[tuple[float, float]]:
        return [(nine, histogram.percentile_ms(1 - 10**-nine)) for nine in steps]

    series = [Line("from the time due", "one", points(measured.latency))]
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
        "Votes by latency; each bar ends 1.19 times as late as the one before",
        shown,
        x_name="ms, from the time due",
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
        Line("p99", "two", [(at, one.percentile_ms(0.99)) for at, one in filled.items()]),
        Line("median", "one", [(at, one.percentile_ms(0.5)) for at, one in filled.items()]),
    ]
    ticks = [(measured.plan.seconds * part / 5, f"{measured.plan.seconds * part / 5:.3g}") for part in range(6)]
    title = "Latency of the votes that were due at each time"
    return plots.lines(title, series, x_ticks=ticks, x_name="s since the start", y_name="ms")
