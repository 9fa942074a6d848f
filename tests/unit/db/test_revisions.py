"""The migrations stand in one row: two that follow the same one could not be applied at all."""

from importlib import import_module
from pathlib import Path

from vote.db import migrations
from vote.db.migrations import versions


def test_each_migration_follows_the_one_before() -> None:
    names = sorted(path.stem for path in Path(versions.__path__[0]).glob("0*.py"))
    found = [import_module(f"{versions.__name__}.{name}") for name in names]

    assert [(one.revision, one.down_revision) for one in found] == [
        (f"{number:04}", f"{number - 1:04}" if number > 1 else None) for number in range(1, len(names) + 1)
    ]
    assert names == sorted(path.stem for path in Path(migrations.__path__[0]).glob("*.sql"))
