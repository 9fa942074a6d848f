"""Present a result as one HTML page that opens offline: no scripts, nothing from elsewhere, plots as inline SVG."""

import math
from collections import Counter
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from string import Template

from vote.ops.load import report
from vote.ops.load.client import NO_ANSWER
from vote.ops.load.measurements import SLICES, Histogram, Measured
from vote.ops.load.run import Result

BARS_PER_DOUBLING = 4
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 260, 64, 30, 12, 40
Points = Sequence[tuple[float, float]]

PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load test on $target: $outcome</title>
<style>
:root { color-scheme: light dark; }
body { margin: 2rem auto; padding: 0 1rem; max-width: 46rem; font: 1rem/1.5 system-ui, sans-serif; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid GrayText; text-align: right; }
th:first-child, td:first-child { text-align: left; } .missed { color: #d33; }
figure { margin: 1.5rem 0; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: GrayText; text-anchor: middle; }
line { stroke: GrayText; opacity: .4; } polyline { fill: none; stroke: #1a9b63; stroke-width: 2; }
.second { stroke: #d0702c; stroke-dasharray: 5 4; }
</style>
<h1>Load test $outcome: $accepted votes accepted, $verdict</h1>
<p>$when · $target · $version</p>
<p>$summary</p>
<h2>Limits</h2>
$limits
$findings
<h2>How long a vote took</h2>
<p>From the time each vote was <em>due</em>, whether or not the service was ready for it: what a person waits. For
comparison, from <em>sending</em>, which hides the wait behind a stall.</p>
$latencies
$percentiles
$histogram
$course
<h2>Answers</h2>
$statuses
<h2>The generator</h2>
<p>$generator</p>
</html>
""")


def as_html(result: Result) -> str:
    """Return the page."""
    measured = result.measured
    latencies = [
        (name, *(f"{value:,.1f}" for value in report.durations(histogram).values()))
        for name, histogram in (("from the due time", measured.latency), ("from sending", measured.service))
    ]
    statuses = [("no answer" if s == NO_ANSWER else str(s), f"{n:,}") for s, n in measured.by_status().items()]
    findings = "".join(f"<li>{escape(finding)}</li>" for finding in report.findings(result))
    return PAGE.substitute(
        target=escape(result.order.target.url),
        outcome="passed" if result.passes else "not passed",
        accepted=f"{measured.accepted:,}",
        verdict=result.verdict.line(),
        when=result.began.strftime("%Y-%m-%d %H:%M:%S UTC"),
        version=f"vote-app {version('vote-app')}",
        summary=escape(report.summary(result)),
        limits=_table(("", "measured", "limit", ""), [row.cells() for row in result.rows]),
        findings=f"<ul>{findings}</ul>" if findings else "",
        latencies=_table(("ms", *report.durations(measured.latency)), latencies),
        percentiles=_percentiles(measured),
        histogram=_histogram(measured.latency),
        course=_course(measured),
        statuses=_table(("status", "votes"), statuses),
        generator=escape(report.generator(measured)),
    )


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        mark = ' class="missed"' if "missed" in cells else ""
        return f"<tr{mark}>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in body)}</table>"


def _percentiles(measured: Measured) -> str:
    """Plot percentiles as HdrHistogram does: each nine takes the same width."""
    nines = max(1, math.ceil(math.log10(max(10, measured.latency.count))))
    due, sent = (
        [(step / 20, histogram.percentile_ms(1 - 10 ** (-step / 20))) for step in range(20 * nines + 1)]
        for histogram in (measured.latency, measured.service)
    )
    ticks = [(float(nine), f"{100 * (1 - 10**-nine):g} %") for nine in range(nines + 1)]
    return _plot("Latency in ms that this share of the votes did not exceed; dashed: from sending", ticks, due, sent)


def _histogram(histogram: Histogram) -> str:
    counts: Counter[int] = Counter()
    for top_ms, count in histogram.buckets_ms():
        counts[math.floor(BARS_PER_DOUBLING * math.log2(max(top_ms, 0.01)))] += count
    edges = range(min(counts, default=0), max(counts, default=0) + 1)
    ticks = [(float(edge), f"{2 ** (edge / BARS_PER_DOUBLING):.3g}") for edge in edges[:: max(1, len(edges) // 8)]]
    return _plot("Votes by latency in ms, from the due time", ticks, [(edge, counts[edge]) for edge in edges])


def _course(measured: Measured) -> str:
    seconds = measured.plan.seconds
    filled = [((n + 0.5) * seconds / SLICES, part) for n, part in enumerate(measured.slices) if part.count]
    median, p99 = ([(at, part.percentile_ms(share)) for at, part in filled] for share in (0.5, 0.99))
    ticks = [(seconds * part / 5, f"{seconds * part / 5:.3g}") for part in range(6)]
    return _plot("Median latency in ms of the votes due at each second; dashed: p99", ticks, median, p99)


def _plot(title: str, ticks: Sequence[tuple[float, str]], first: Points, second: Points = ()) -> str:
    """Draw one or two lines over x ticks; the y axis starts at 0."""
    top = nice(max((y for _, y in (*first, *second)), default=1))
    places = [x for x, _ in (*ticks, *first, *second)]
    left, width = min(places), max(places) - min(places) or 1

    def across(x: float) -> float:
        return round(LEFT + (x - left) / width * (WIDTH - LEFT - RIGHT), 1)

    def up(y: float) -> float:
        return round(HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM), 1)

    drawn = [f'<text x="{across(x)}" y="{HEIGHT - BOTTOM + 16}">{label}</text>' for x, label in ticks]
    for y in (top * quarter / 4 for quarter in range(5)):
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y)}" y2="{up(y)}"/>')
        drawn.append(f'<text x="{LEFT / 2}" y="{up(y) + 4}">{y:g}</text>')
    for style, points in (("first", first), ("second", second)):
        line = " ".join(f"{across(x)},{up(y)}" for x, y in points)
        drawn.append(f'<polyline class="{style}" points="{line}"/>')
    svg = f'<svg role="img" aria-label="{title}" viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(drawn)}</svg>'
    return f"<figure>{svg}<figcaption>{title}</figcaption></figure>"


def nice(value: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, … that is not below `value`; 1 for zero or less."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
