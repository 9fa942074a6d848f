"""Figures of the tests below deploy/: what they note with `record_property` is shown at the end, and kept where
DEPLOY_FIGURES names a file, for the record of a make target.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FIGURES = "DEPLOY_FIGURES"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a line per test that noted something; add all of it to the file, as JSON."""
    noted = {nodeid: dict(properties) for nodeid, properties in _noted(terminalreporter) if properties}
    for nodeid, properties in noted.items():
        said = ", ".join(f"{name} {value}" for name, value in properties.items())
        terminalreporter.write_line(f"{nodeid.rpartition('::')[2]}: {said}")
    if noted and (name := os.environ.get(FIGURES)):
        path = Path(name)
        before = json.loads(path.read_text("utf-8") or "{}") if path.exists() else {}
        path.write_text(json.dumps(before | noted, indent=1) + "\n", encoding="utf-8")


def _noted(terminalreporter: Any) -> Iterator[tuple[str, list[tuple[str, object]]]]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                yield report.nodeid, report.user_properties
