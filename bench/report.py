"""The table of a run, and `results.json` with every raw figure."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import acceptance, recording, together
from bench.check import Verdict
from bench.figures import median_ratio

RESULTS = Path(__file__).parent / "results.json"
HEAD = ("what", "per second", "ratio", "goal", "met")
WIDTHS = (47, 12, 30, 6, 4)


class Row(NamedTuple):
    """A line of the table; a figure without a goal has none to meet."""

    what: str
    per_second: float
    ratio: float | None = None
    to: str = ""
    goal: float | None = None
    also: bool = True

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        return None if self.goal is None or self.ratio is None else self.ratio >= self.goal and self.also

    def cells(self) -> tuple[str, ...]:
        """As text."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} of {self.to}"
        met = {None: "", True: "yes", False: "no"}[self.met]
        return self.what, f"{self.per_second:,.0f}", ratio, f"{self.goal:g}" if self.goal else "", met


class Run(NamedTuple):
    """Everything measured in one run."""

    machine: dict[str, object]
    how: dict[str, object]
    recording: recording.Rounds
    acceptance: acceptance.Rounds
    together: together.Rounds
    verdict: Verdict


def rows(run: Run) -> list[Row]:
    """The table. Figures are medians of the rounds, ratios medians of each round's ratio."""
    accepted, recorded, both = run.acceptance, run.recording, run.together
    bearer, session, bare = (_rates(one) for one in (accepted.bearer, accepted.session, accepted.bare))
    together_accepted = [one.accepted.per_second for one in both.pace]
    together_recorded = [one.recorded_per_second for one in both.pace]
    keeps_up = sum(one.is_growing for one in both.pace) * 2 < len(both.pace)
    of_bare, of_rows = "bare ASGI", "pgbench"
    return [
        Row("bare ASGI app, same server", median(bare)),
        Row("pgbench, single-row INSERT, 16 clients", median(accepted.pgbench)),
        Row("accepted, Bearer token", median(bearer), median_ratio(bearer, bare), of_bare, 0.6),
        Row("accepted, Bearer token", median(bearer), median_ratio(bearer, accepted.pgbench), of_rows, 1.3),
        Row("accepted, session cookie", median(session), median_ratio(session, bare), of_bare),
        Row("plain batched INSERT", median(recorded.plain)),
        Row(
            "recorded by one worker",
            median(recorded.worker),
            median_ratio(recorded.worker, recorded.plain),
            "plain batched INSERT",
            0.7,
        ),
        Row(
            "recorded by two workers",
            median(recorded.two_workers),
            median_ratio(recorded.two_workers, recorded.worker),
            "one worker",
        ),
        Row("plain batched INSERT, values as text beforehand", median(recorded.plain_as_text)),
        Row("together: accepted", median(together_accepted), median_ratio(together_accepted, both.pgbench), of_rows),
        Row(
            "together: recorded, lag " + ("not growing" if keeps_up else "growing"),
            median(together_recorded),
            median_ratio(together_recorded, both.pgbench),
            of_rows,
            1.0,
            keeps_up,
        ),
    ]


def text(run: Run) -> str:
    """What is printed."""
    return "\n".join([*_table(rows(run)), "", *_notes(run)])


def write(run: Run) -> None:
    """Write results.json."""
    table = [{**one._asdict(), "met": one.met} for one in rows(run)]
    both = (("recording", run.recording), ("acceptance", run.acceptance), ("together", run.together))
    whole = {
        "machine": run.machine,
        "how": run.how,
        "table": [{name: value for name, value in row.items() if name != "also"} for row in table],
        "rounds": {name: rounds.raw() for name, rounds in both},
        "verdict": run.verdict._asdict(),
    }
    RESULTS.write_text(json.dumps(_rounded(whole), indent=2) + "\n", encoding="utf-8")


def _rates(samples: list[acceptance.Sample]) -> list[float]:
    return [one.per_second for one in samples]


def _table(lines: list[Row]) -> Iterator[str]:
    for cells in (HEAD, tuple("-" * width for width in WIDTHS), *(line.cells() for line in lines)):
        what, per_second, *rest = cells
        padded = [f"{cell:<{width}}" for cell, width in zip(rest, WIDTHS[2:], strict=True)]
        yield "  ".join([f"{what:<{WIDTHS[0]}}", f"{per_second:>{WIDTHS[1]}}", *padded]).rstrip()


def _notes(run: Run) -> Iterator[str]:
    samples = run.acceptance
    for name, some in (("Bearer", samples.bearer), ("session", samples.session), ("bare", samples.bare)):
        p50, p99 = median(one.p50_ms for one in some), median(one.p99_ms for one in some)
        server, own = median(one.server_us for one in some), median(one.load_us for one in some)
        yield (
            f"{name:8} p50 {p50:.0f} ms, p99 {p99:.0f} ms; processor time per request: server {server:.0f} µs,"
            f" load generator {own:.0f} µs"
        )
    for workers, pace in ((1, run.together.pace), (2, run.together.two_workers)):
        yield _pace(workers, pace)
    core = max(one.load_core for one in samples.bare)
    yield f"load generator: {100 * core:.0f} % of one core at most, against the bare app"
    told = run.verdict
    yield (
        f"acknowledged {told.acknowledged:,}, recorded {told.recorded:,}, in doubt {told.in_doubt}: lost {told.lost},"
        f" extra {told.extra}, wrong tallies {told.wrong_tallies}"
    )


def _pace(workers: int, pace: list[together.Pace]) -> str:
    return (
        f"together, workers: {workers}: vote to recorded p50 {median(one.to_recorded_p50_ms for one in pace):.0f} ms,"
        f" p99 {median(one.to_recorded_p99_ms for one in pace):.0f} ms;"
        f" accepted {median(one.accepted.per_second for one in pace):,.0f}/s,"
        f" recorded {median(one.recorded_per_second for one in pace):,.0f}/s;"
        f" waiting at the end {', '.join(str(one.backlog_at_end) for one in pace)};"
        f" growth {', '.join(f'{100 * one.growth:.1f} %' for one in pace)} of the accepted"
    )


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {str(name): _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
