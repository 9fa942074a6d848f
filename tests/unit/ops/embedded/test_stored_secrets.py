from pathlib import Path

import pytest

from vote.ops.embedded.disk import write_private
from vote.ops.embedded.stored_secrets import kept_secret


def test_a_secret_is_made_once_and_only_we_can_read_it(tmp_path: Path) -> None:
    secret = kept_secret(tmp_path / "JWT_SECRET")

    assert len(secret) >= 43
    assert kept_secret(tmp_path / "JWT_SECRET") == secret
    assert (tmp_path / "JWT_SECRET").stat().st_mode & 0o777 == 0o600
    assert kept_secret(tmp_path / "other") != secret


def test_a_write_that_is_interrupted_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_private(tmp_path / "notes", "before")

    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_private(tmp_path / "notes", "after")
    monkeypatch.undo()

    assert (tmp_path / "notes").read_text() == "before"
    write_private(tmp_path / "notes", "after")
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
