"""Whom a load may be aimed at: nobody else's service by accident."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from vote.config import Settings
from vote.ops.cli import cli
from vote.ops.load import target

PUBLIC = "https://vote.example.org/"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:8080", "http://localhost:8080/", PUBLIC]
)
def test_this_machine_and_the_public_url_are_ones_own(url: str) -> None:
    target.check_is_own(target.parse(url), public_url=PUBLIC, owned=None)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "http://vote.example.org",  # not the scheme of PUBLIC_URL
        "https://vote.example.org:8443",
        "http://10.0.0.7:8080",  # a private network is not a proof
        "http://192.168.1.4",
        "http://0.0.0.0:8080",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
    ],
)
def test_everything_else_must_be_named_twice(url: str) -> None:
    aim = target.parse(url)

    with pytest.raises(ValueError, match=f"is not known to be yours.*--i-own-this-target {url}"):
        target.check_is_own(aim, public_url=PUBLIC, owned=None)
    with pytest.raises(ValueError, match="is not known to be yours"):
        target.check_is_own(aim, public_url=PUBLIC, owned="https://another.example.com")
    target.check_is_own(aim, public_url=PUBLIC, owned=url)


@pytest.mark.parametrize(
    "url", ["vote.example.org", "ftp://vote.example.org", "https://a.org/vote", "https://u:p@a.org"]
)
def test_what_is_no_address_of_a_deployment_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a deployment"):
        target.parse(url)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--url", "https://example.com", "--register", "--competition", "1"], "not known to be yours"),
        (["--register"], "--token-file"),
        ([], "use --register"),
        (["--votes", "10", "--rate", "1", "--duration", "10"], "give two of"),
        (["--register", "--competition", "1"], "as many --users as --votes"),
        (["--report", "no/such/folder/report.html"], "there is no folder no/such/folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_line_that_cannot_work_exits_with_2_before_anything_is_sent(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    answer = CliRunner().invoke(cli, ["load", *arguments])

    assert answer.exit_code == 2
    assert says in " ".join(answer.output.split())
