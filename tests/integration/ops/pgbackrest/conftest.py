"""These tests need Debian's pgbackrest and PostgreSQL 15; without them they are deselected, with a line that says so."""

import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NEEDED = "pgbackrest and postgresql-15"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if shutil.which("pgbackrest") and Path("/usr/lib/postgresql/15/bin/postgres").exists():
        return
    mine = [item for item in items if HERE in item.path.parents]
    if mine:
        items[:] = [item for item in items if item not in mine]
        config.hook.pytest_deselected(items=mine)
        config.get_terminal_writer().line(f"pgBackRest tests are deselected: they need {NEEDED}.")
