"""`vote secrets` on a folder, as an operator runs it: it never prints a secret, overwrites none, and repeats safely."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vote import config, secret_strength
from vote.actions.checkpoints import Signer
from vote.errors import Conflict
from vote.ops import key_rotation
from vote.ops.backup import encryption
from vote.ops.cli import cli
from vote.ops.commands import secrets as command
from vote.ops.key_rotation import KEYS


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `.env`, and no manager."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SECRETS_FROM", raising=False)


def run(*words: str, **environ: str) -> Result:
    done = CliRunner(env=environ).invoke(cli, ["secrets", *words])
    for file in Path("kept").glob("*"):
        text = file.read_text().strip()
        assert not text or text not in done.output + str(done.exception), f"{file.name} was printed"
    return done


def told(*words: str) -> dict[str, object]:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.output))


def held() -> dict[str, str]:
    return {file.name: file.read_text().strip() for file in Path("kept").iterdir()}


def test_what_is_generated_starts_in_production() -> None:
    made = told("generate", "--folder", "kept")

    files = {name: path for name, path in dict(made["settings"]).items() if name.endswith("_FILE")}  # type: ignore[call-overload]
    given = config.load({**files, "VOTE_ENV": "production"})
    assert made["made"] == sorted(command.GENERATED)
    assert {file.stat().st_mode & 0o777 for file in Path("kept").iterdir()} == {0o600}
    assert Path("kept").stat().st_mode & 0o777 == 0o700
    assert not any(secret_strength.weakness(getattr(given, name.lower())) for name in command.RANDOM)
    assert given.flask_secret_key_previous is given.jwt_secret_previous is None
    public = dict(made["settings"])  # type: ignore[call-overload]
    assert public["CHECKPOINT_PUBLIC_KEY"] == Signer(given.checkpoint_key or "").public
    assert public["BACKUP_RECIPIENT"] == str(encryption.recipient_of(given))


def test_nothing_is_overwritten_and_the_rest_can_be_made() -> None:
    run("generate", "--folder", "kept")
    before = held()

    refused = run("generate", "--folder", "kept")
    assert refused.exit_code == 1
    assert "already there, nothing was written" in str(refused.exception)
    assert held() == before

    (Path("kept") / "CHECKPOINT_KEY").unlink()
    assert told("generate", "--folder", "kept", "--missing")["made"] == ["CHECKPOINT_KEY"]
    assert {name: value for name, value in held().items() if name != "CHECKPOINT_KEY"} == {
        name: value for name, value in before.items() if name != "CHECKPOINT_KEY"
    }


def test_a_rotation_in_files() -> None:
    run("generate", "--folder", "kept")
    old = held()

    assert told("rotate", "--folder", "kept")["stage"] == "accepting"
    accepting = held()
    assert told("rotate", "--folder", "kept")["changed"] is False
    assert held() == accepting

    assert told("rotate", "--folder", "kept", "--restarted")["stage"] == "signing"
    signing = held()
    assert [signing[key] for key in KEYS] == [accepting[f"{key}_PREVIOUS"] for key in KEYS]
    assert [signing[f"{key}_PREVIOUS"] for key in KEYS] == [old[key] for key in KEYS]
    assert told("rotate", "--folder", "kept", "--restarted")["changed"] is False


def test_old_keys_are_removed_a_day_later(monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["generate"], ["rotate"], ["rotate", "--restarted"]):
        assert run(*words, "--folder", "kept").exit_code == 0
    signing = held()

    monkeypatch.setattr(key_rotation, "OLD_KEYS_LIVE", key_rotation.OLD_KEYS_LIVE * 0)
    done = run("rotate", "--folder", "kept")

    assert done.output == "The old keys are removed; processes forget them at their next restart.\n"
    assert held() == {name: value for name, value in signing.items() if name != key_rotation.MARKER} | {
        f"{key}_PREVIOUS": "" for key in KEYS
    }


def test_stolen_keys_are_replaced_at_once() -> None:
    run("generate", "--folder", "kept")
    run("rotate", "--folder", "kept")
    before = held()

    assert run("rotate", "--folder", "kept", "--at-once").exit_code == 0

    assert not {*before.values()} & {held()[key] for key in KEYS}
    assert key_rotation.MARKER not in held()


def test_without_a_place_it_asks_for_one() -> None:
    for words in (["generate"], ["rotate"]):
        done = run(*words)
        assert done.exit_code == 2
        assert "--folder PATH, or set SECRETS_FROM" in done.output


def test_nothing_to_rotate_says_what_to_do() -> None:
    assert isinstance(run("rotate", "--folder", "kept").exception, Conflict)


def test_a_file_keeps_the_owner_that_has_to_read_it() -> None:
    run("generate", "--folder", "kept")
    owner = (1000, 1000) if os.geteuid() == 0 else (os.getuid(), os.getgid())  # only root gives files away
    for path in (Path("kept"), *Path("kept").iterdir()):
        os.chown(path, *owner)

    run("rotate", "--folder", "kept")

    assert {(path.stat().st_uid, path.stat().st_gid) for path in Path("kept").iterdir()} == {owner}


def test_an_old_secret_is_named_and_fails_the_check() -> None:
    run("generate", "--folder", "kept")
    files = {f"{name}_FILE": f"kept/{name}" for name in command.GENERATED}
    long_ago = 100 * 86_400
    file = Path("kept/JWT_SECRET")
    os.utime(file, (file.stat().st_atime - long_ago, file.stat().st_mtime - long_ago))

    fresh, old = run("age", "--max-days", "101", **files), run("age", "--max-days", "90", "--json", **files)

    assert (fresh.exit_code, old.exit_code) == (0, 1)
    assert "JWT_SECRET                 100 days     file kept/JWT_SECRET" in fresh.output
    as_json = json.loads(old.stdout)
    assert as_json["old"] == ["JWT_SECRET"]
    assert {row["name"] for row in as_json["secrets"]} == {*command.GENERATED}
    assert all(row["days"] is not None for row in as_json["secrets"])
