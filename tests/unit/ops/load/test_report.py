"""The page that is sent to others: whole, harmless, and in need of nothing."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

from vote.ops.load import html_report, report, target
from vote.ops.load.measurements import Histogram, Measured
from vote.ops.load.plan import Plan
from vote.ops.load.run import Order, Result
from vote.ops.load.verdict import Thresholds, Verdict, limits

LOST = "competition 1: the tally shows 0 for <script>, 1 were acknowledged"


def result(*, answered: bool = True) -> Result:
    plan = Plan(votes=400, rate=100, users=40, connections=4)
    order = Order(plan=plan, target=target.parse("http://127.0.0.1:8080"), limits=Thresholds())
    measured, verdict = Measured(plan), Verdict(True, [LOST], [], [])
    for vote in range(plan.votes if answered else 0):
        measured.note(vote, 202 if vote % 50 else 503, due=vote / 100, sent=vote / 100, now=vote / 100 + 0.001 * vote)
    rows = limits(Thresholds(), measured, Histogram(), None, verdict)
    return Result(order, datetime(2026, 11, 24, tzinfo=UTC), (1, 2), measured, None, None, verdict, tuple(rows))


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    page = html_report.as_html(result())

    assert "<script" not in page
    assert re.findall(r"\b(?:src|href|url\(|@import)", page) == []
    assert "&lt;script&gt;" in page


def test_the_page_has_its_plots_and_each_is_whole() -> None:
    page = html_report.as_html(result())

    drawn = re.findall(r"<svg.*?</svg>", page, re.DOTALL)

    assert len(drawn) == 3
    for one in drawn:
        assert ElementTree.fromstring(one).get("aria-label")  # noqa: S314 (our own text)
        assert "nan" not in one
    assert "$" not in page


def test_a_load_without_one_answer_has_a_page_too() -> None:
    assert "Load test not passed: 0 votes accepted" in html_report.as_html(result(answered=False))


def test_lines_and_json_say_the_same() -> None:
    lines, answer = "\n".join(report.as_lines(result())), report.as_json(result())

    assert answer["passes"] is False
    assert answer["statuses"] == {"202": 392, "503": 8}
    assert "MISSED  lost: 1 (limit 0)" in lines
    assert f"lost: {LOST}" in lines
    assert "MISSED  votes not acknowledged: 8 (limit 0)" in lines


def test_a_load_passes_when_every_limit_is_met() -> None:
    missed = result()

    assert not missed.passes
    assert replace(missed, rows=tuple(row for row in missed.rows if row.is_met)).passes


def test_an_axis_ends_at_a_round_figure() -> None:
    assert [html_report.nice(value) for value in (0, 0.3, 1, 3, 7, 199, 4_001)] == [1, 0.5, 1, 5, 10, 200, 5_000]
