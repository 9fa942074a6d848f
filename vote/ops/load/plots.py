"""Draw plots as SVG text, without scripts or external resources. Colours are CSS classes of the report."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 40
Point = tuple[float, float]
Tick = tuple[float, str]


class Line(NamedTuple):
    """A named series of points, left to right. `style` is a CSS class of the report."""

    name: str
    style: str
    points: Sequence[Point]


def lines(title: str, series: Sequence[Line], *, x_ticks: Sequence[Tick], x_name: str, y_name: str) -> str:
    """Draw lines over a shared x axis; the y axis starts at 0."""
    top = nice(max((y for line in series for _, y in line.points), default=1))
    left, right = x_ticks[0][0], x_ticks[-1][0]

    def place(point: Point) -> str:
        return f"{_across((point[0] - left) / ((right - left) or 1)):.1f},{_up(point[1] / top):.1f}"

    drawn = [
        f'<polyline class="{line.style}" points="{" ".join(place(point) for point in line.points)}"/>'
        for line in series
        if line.points
    ]
    ticks = [((x - left) / ((right - left) or 1), label) for x, label in x_ticks]
    legend = [
        f'<text class="key {line.style}" x="{LEFT + 8}" y="{TOP + 14 + 16 * number}">{escape(line.name)}</text>'
        for number, line in enumerate(series)
    ]
    return _frame(title, [*drawn, *legend], ticks, top, x_name, y_name)


def bars(title: str, counts: Sequence[tuple[str, int]], *, x_name: str, y_name: str) -> str:
    """Draw one bar per label; about eight labels are shown."""
    top, width = nice(max((count for _, count in counts), default=1)), 1 / max(1, len(counts))
    drawn = [
        f'<rect class="bar" x="{_across(number * width):.1f}" y="{_up(count / top):.1f}"'
        f' width="{max(1.0, (_across(width) - LEFT) - 1):.1f}" height="{_up(0) - _up(count / top):.1f}"/>'
        for number, (_, count) in enumerate(counts)
    ]
    every = max(1, len(counts) // 8)
    ticks = [((number + 0.5) * width, label) for number, (label, _) in enumerate(counts) if number % every == 0]
    return _frame(title, drawn, ticks, top, x_name, y_name)


def nice(value: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, … that is not below `value`; 1 for zero or less."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _frame(title: str, drawn: Sequence[str], ticks: Sequence[Tick], top: float, x_name: str, y_name: str) -> str:
    grid = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _up(share)
        grid.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        grid.append(f'<text class="end" x="{LEFT - 6}" y="{y + 4:.1f}">{top * share:g}</text>')
    grid += [
        f'<text class="{_aligned(share)}" x="{_across(share):.1f}" y="{HEIGHT - BOTTOM + 16}">{escape(label)}</text>'
        for share, label in ticks
    ]
    names = (
        f'<text class="mid" x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 6}">{escape(x_name)}</text>'
        f'<text class="mid" transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)">{escape(y_name)}</text>'
    )
    caption = escape(title)
    return (
        f'<figure><svg role="img" aria-label="{caption}" viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(grid)}{"".join(drawn)}'
        f"{names}</svg><figcaption>{caption}</figcaption></figure>"
    )


def _aligned(share: float) -> str:
    """Return the CSS class that aligns a label; the last one ends at the edge, so that it is not cut off."""
    return "end" if share >= 1 else "mid"


def _across(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _up(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
