"""`vote secrets` in each manager: make, rotate, date. What it leaves there starts a process in production."""

import json
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.deploy.secrets.openbao import WRITE
from vote import config
from vote.config import Settings
from vote.ops import key_rotation
from vote.ops.cli import cli
from vote.ops.commands.secrets import GENERATED

METADATA = 'path "secret/metadata/vote" { capabilities = ["read"] }'


@pytest.fixture(params=["vault", "aws", "azure"])
def client(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of somebody who may write secrets, in an empty manager of each kind."""
    if request.param == "vault":
        bao = request.getfixturevalue("bao")
        return dict(bao.client(f"{WRITE}\n{METADATA}"))
    return dict(request.getfixturevalue("aws" if request.param == "aws" else "empty_vault").client)


def run(client: dict[str, str], *words: str) -> Result:
    return CliRunner(env=client).invoke(cli, ["secrets", *words])


def told(client: dict[str, str], *words: str) -> dict[str, Any]:
    done = run(client, *words, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    given = {value for name in GENERATED if (value := getattr(started(client), name.lower(), None))}
    assert not [value for value in given if value in done.output]
    return dict(json.loads(done.output))


def started(client: dict[str, str]) -> Settings:
    """What a process has that starts now."""
    return config.load({**client, "VOTE_ENV": "production"})


def test_secrets_are_made_once_and_rotated_in_two_steps(client: dict[str, str]) -> None:
    assert told(client, "generate")["made"] == sorted(GENERATED)
    old = started(client)
    refused = run(client, "generate")
    assert refused.exit_code == 1
    assert "already there, nothing was written" in str(refused.exception)

    assert told(client, "rotate")["stage"] == "accepting"
    accepting = started(client)
    assert (accepting.jwt_secret, accepting.flask_secret_key) == (old.jwt_secret, old.flask_secret_key)
    assert None not in (accepting.jwt_secret_previous, accepting.flask_secret_key_previous)
    assert told(client, "rotate")["changed"] is False

    assert told(client, "rotate", "--restarted")["stage"] == "signing"
    signing = started(client)
    assert signing.flask_secret_keys == accepting.flask_secret_keys[::-1]
    assert (signing.jwt_secret, signing.jwt_secret_previous) == (accepting.jwt_secret_previous, old.jwt_secret)
    assert signing.checkpoint_key == old.checkpoint_key


def test_old_keys_go_a_day_later_and_stolen_ones_at_once(
    client: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (["generate"], ["rotate"], ["rotate", "--restarted"]):
        assert run(client, *words).exit_code == 0
    signing = started(client)
    monkeypatch.setattr(key_rotation, "OLD_KEYS_LIVE", timedelta(0))

    assert told(client, "rotate")["stage"] == "idle"
    after = started(client)
    assert (after.jwt_secret, after.jwt_secret_previous) == (signing.jwt_secret, None)

    assert run(client, "rotate", "--at-once").exit_code == 0
    replaced = started(client)
    assert replaced.jwt_secret != after.jwt_secret
    assert replaced.jwt_secret_previous is replaced.flask_secret_key_previous is None


def test_ages_come_from_the_manager(client: dict[str, str]) -> None:
    told(client, "generate")

    rows = {row["name"]: row for row in told(client, "age", "--max-days", "90")["secrets"]}

    sources = {"vault": "Vault", "aws": "AWS Secrets Manager", "azure": "Azure Key Vault"}
    assert {*GENERATED} <= rows.keys() <= {*GENERATED, "VAULT_SECRET_ID"}
    for name in GENERATED:
        assert rows[name]["source"] == sources[client["SECRETS_FROM"]]
        assert rows[name]["version"]
        assert 0 <= rows[name]["days"] < 1
