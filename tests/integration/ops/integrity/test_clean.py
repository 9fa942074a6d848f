"""`vote verify`: clean books are clean, and it says what it did not check; it can change nothing."""

import json

import psycopg
import pytest

from tests.integration.ops.integrity.conftest import KEY
from tests.integration.ops.integrity.damage import Execute, found, verify
from vote import config
from vote.actions.checkpoints import Signer
from vote.ballotlog.log import BallotLog
from vote.domain.competition import Competition
from vote.errors import ConfigError
from vote.ops.integrity import findings
from vote.worker.worker import Worker


def test_clean_books_are_clean(signing: dict[str, str], books: Competition, worker: Worker, log: BallotLog) -> None:
    result = verify(signing)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "180 ballots" in result.stdout
    assert "nothing is wrong" in result.stdout

    # A new life of the log leaves gap rows, and positions begin anew.
    log._call("FLUSHALL")
    worker.step()
    assert found(signing) == []


def test_without_a_public_key_it_says_what_it_did_not_check(signing: dict[str, str], books: Competition) -> None:
    del signing["CHECKPOINT_PUBLIC_KEY"]
    result = verify(signing)
    assert (result.exit_code, "Signatures were not checked" in result.stderr) == (0, True)
    assert json.loads(verify(signing, "--json").stdout)["signatures_checked"] is False


def test_wrong_words_are_a_usage_error(signing: dict[str, str]) -> None:
    assert verify(signing, "--nonsense").exit_code == 2


def test_the_public_key_is_printed_for_who_verifies_elsewhere(environment: dict[str, str]) -> None:
    mine = verify(environment | {"CHECKPOINT_KEY": KEY}, "--public-key")
    assert mine.output.strip() == Signer(KEY).public
    assert verify(environment | {"CHECKPOINT_PUBLIC_KEY": mine.output.strip()}, "--public-key").output == mine.output
    assert isinstance(verify(environment, "--public-key").exception, ConfigError)
    assert isinstance(verify(environment | {"CHECKPOINT_PUBLIC_KEY": "no"}).exception, ConfigError)


def test_it_reads_as_backup_and_can_change_nothing(
    signing: dict[str, str], books: Competition, execute: Execute, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET ROLE vote_backup")
        for table in ("ballots", "votes", "audit_log", "checkpoints", "log_positions", "tallies", "users"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"DELETE FROM {table}".encode())
    execute("REVOKE SELECT ON audit_log FROM vote_backup")
    assert isinstance(verify(signing).exception, psycopg.errors.InsufficientPrivilege), "it took another role"


def test_findings_are_kept_in_bounds(
    signing: dict[str, str], books: Competition, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "MAX_KEPT", 3)
    execute("UPDATE ballots SET cast_at = cast_at + interval '1 day'")

    result = verify(signing)

    assert len(result.stdout.splitlines()) == 5
    assert "more" in result.stdout.splitlines()[3]


def test_the_settings_name_the_key_when_it_is_none(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="CHECKPOINT_KEY"):
        config.load(environment | {"CHECKPOINT_KEY_FILE": "/nonexistent"})
