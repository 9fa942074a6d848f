"""Several secrets of a store that knows only single ones change together, whenever the writer is killed."""

import json
from collections.abc import Collection
from pathlib import Path

import pytest

from vote.ops.secret_folder import SecretFolder
from vote.secret_store import Secret, StoredSecrets, StoreError
from vote.secret_store.piecewise import JOURNAL, PiecewiseStore

NAMES = ("JWT_SECRET", "JWT_SECRET_PREVIOUS", "SECRETS_ROTATION")
BEFORE = {"JWT_SECRET": "old", "JWT_SECRET_PREVIOUS": "new"}
CHANGES = {"JWT_SECRET": "new", "JWT_SECRET_PREVIOUS": "old", "SECRETS_ROTATION": "signing"}
WRITES = len(CHANGES) + 2  # and the journal, twice


class Killed(Exception):
    """The writer's end."""


class MemoryStore(PiecewiseStore):
    """A store whose writer is killed before the write number `dies_at`."""

    title = "memory"

    def __init__(self) -> None:
        self.held: dict[str, str] = dict(BEFORE)
        self.writes, self.dies_at = 0, -1

    def read_each(self, names: Collection[str]) -> dict[str, Secret]:
        return {name: Secret(self.held[name], "", None) for name in names if name in self.held}

    def write_one(self, name: str, value: str) -> None:
        if self.writes == self.dies_at:
            raise Killed
        self.writes += 1
        self.held.pop(name, None)
        if value:
            self.held[name] = value


def values(found: StoredSecrets) -> dict[str, str]:
    return {name: secret.value for name, secret in found.secrets.items()}


@pytest.mark.parametrize("dies_at", range(WRITES))
def test_a_killed_writer_leaves_all_or_nothing_and_the_next_one_finishes(dies_at: int) -> None:
    store = MemoryStore()
    store.dies_at = dies_at
    with pytest.raises(Killed):
        store.write(CHANGES, store.read(NAMES))

    store.dies_at = -1
    seen = values(store.read(NAMES))
    assert seen == (BEFORE if dies_at == 0 else CHANGES)
    store.write({"SECRETS_ROTATION": "next"}, store.read(NAMES))
    assert store.held == seen | {"SECRETS_ROTATION": "next"}


def test_without_the_journal_a_killed_writer_would_lose_a_key() -> None:
    """The fault that the test above finds, planted."""
    store = MemoryStore()
    first = next(iter(CHANGES))
    store.write_one(first, CHANGES[first])  # and then it is killed

    assert values(store.read(NAMES)) not in (BEFORE, CHANGES)
    assert "old" not in store.held.values()


def test_a_change_since_the_reading_is_not_undone() -> None:
    store = MemoryStore()
    seen = store.read(NAMES)
    store.held["JWT_SECRET"] = "somebody-else's"

    with pytest.raises(StoreError, match="changed by somebody else"):
        store.write(CHANGES, seen)
    assert store.held["JWT_SECRET"] == "somebody-else's"


@pytest.mark.parametrize("text", ["nonsense", json.dumps(["a"]), json.dumps({"JWT_SECRET": 1})])
def test_a_journal_that_is_none_is_refused_without_repeating_it(text: str) -> None:
    store = MemoryStore()
    store.held[JOURNAL] = text

    with pytest.raises(StoreError, match=JOURNAL) as refusal:
        store.read(NAMES)
    assert text not in str(refusal.value)


# --- a folder of files -----------------------------------------------------------------------------------------------------


def test_files_are_private_and_replaced_whole(tmp_path: Path) -> None:
    store = SecretFolder(tmp_path / "new")
    with store.locked():
        store.write(BEFORE, store.read(NAMES))
        store.write(CHANGES, store.read(NAMES))

    assert store.path.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.read_text() for path in store.path.iterdir()} == {
        name: value + "\n" for name, value in CHANGES.items()
    }
    assert {path.stat().st_mode & 0o777 for path in store.path.iterdir()} == {0o600}


def test_a_previous_key_that_is_removed_leaves_an_empty_file_to_be_mounted(tmp_path: Path) -> None:
    store = SecretFolder(tmp_path)
    store.write(CHANGES, store.read(NAMES))

    store.write({"JWT_SECRET_PREVIOUS": "", "SECRETS_ROTATION": ""}, store.read(NAMES))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["JWT_SECRET", "JWT_SECRET_PREVIOUS"]
    assert values(store.read(NAMES)) == {"JWT_SECRET": "new"}


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "JWT_SECRET").mkdir()

    with pytest.raises(StoreError, match=r"JWT_SECRET cannot be read: Is a directory"):
        SecretFolder(tmp_path).read(NAMES)
