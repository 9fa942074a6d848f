"""Runs a soak on a `vote up` of its own and prints what grew. Exit code 1 when anything did, or was lost.

SOAK_HOURS    how long, in hours: 24 for the production checklist's line
SOAK_MINUTES  how long, in minutes (default 10; below 2 there is little to judge)
SOAK_RATE     votes a second (default 40)
SOAK_REPORT   a file to write the report to, as Markdown
"""

import os
import sys
from pathlib import Path

from tests.soak.load import Rates
from tests.soak.soak import run, wanted_seconds


def main() -> int:
    """One soak."""
    seconds, rates = wanted_seconds(), Rates()
    if rate := os.environ.get("SOAK_RATE"):
        rates = rates._replace(votes=float(rate))
    print(f"Soak: {seconds / 60:g} minutes at {rates.votes:g} votes a second", flush=True)
    found = run(seconds, rates)
    print("\n".join(found.lines()), flush=True)
    if report := os.environ.get("SOAK_REPORT"):
        Path(report).write_text("\n".join(["# Soak report", "", *found.lines(), ""]), encoding="utf-8")
    return 0 if found.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
