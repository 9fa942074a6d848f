"""Runs every control and says what came of it. Exit code 1 unless all are clean.

    python -m tests.security [part of a control's name …]

SECURITY_CASES    cases made from the OpenAPI document (default 50,000)
SECURITY_OFFLINE  1: the advisories, which need PyPI's or OSV's service, are left out and the verdict says so
SECURITY_REPORT   a file to write the table to, as Markdown
"""

import os
import sys
import time
from pathlib import Path

from tests.security import running, still
from tests.security.control import Control, Verdict, judge
from tests.security.tools import versions

CONTROLS: tuple[Control, ...] = (
    still.Code(),
    still.Secrets(),
    still.Advisories(),
    running.Contract(),
    running.Pages(),
    running.Injection(),
)


def main(wanted: list[str]) -> int:
    """The verdicts, as they come."""
    installed = versions(sorted({one.tool for one in CONTROLS}))
    chosen = [one for one in CONTROLS if not wanted or any(part in one.name for part in wanted)]
    left_out = [one for one in chosen if one.tool == "pip-audit" and os.environ.get("SECURITY_OFFLINE") == "1"]
    verdicts: list[Verdict] = []
    for control in (one for one in chosen if one not in left_out):
        began = time.monotonic()
        verdict = judge(control)
        verdicts.append(verdict)
        tool = f"{control.tool} {installed[control.tool]}"
        print(f"{control.name:30} {tool:24} {verdict.word:9} {time.monotonic() - began:5.0f} s", flush=True)
        for line in verdict.lines[:40]:
            print(f"    {line}", flush=True)
    bad = [one.name for one in verdicts if not one.is_clean]
    print(_summary(bad, [one.name for one in left_out]), flush=True)
    if path := os.environ.get("SECURITY_REPORT"):
        Path(path).write_text(_report(chosen, verdicts, installed), encoding="utf-8")
    return 1 if bad or not verdicts else 0


def _summary(bad: list[str], left_out: list[str]) -> str:
    but = f"; LEFT OUT, not looked at: {', '.join(left_out)}" if left_out else ""
    return f"security: {'clean' if not bad else 'NOT clean: ' + ', '.join(bad)}{but}"


def _report(controls: list[Control], verdicts: list[Verdict], installed: dict[str, str]) -> str:
    words = {one.name: one.word for one in verdicts}
    rows = [
        f"| {one.name} | {one.tool} {installed[one.tool]} | {words.get(one.name, 'left out')} |" for one in controls
    ]
    return "\n".join(["| control | tool | verdict |", "|---|---|---|", *rows, ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
