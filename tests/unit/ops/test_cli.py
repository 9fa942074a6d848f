import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vote.config import Settings
from vote.ops import cli


def commands(group: click.Group, *path: str) -> list[list[str]]:
    """Every command line there is, without arguments."""
    found, context = [], click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found.append([*path, name])
        if isinstance(command, click.Group):
            found += commands(command, *path, name)
    return found


@pytest.mark.parametrize("path", [[], *commands(cli.cli)], ids=" ".join)
def test_every_command_explains_itself(path: list[str]) -> None:
    answer = CliRunner().invoke(cli.cli, [*path, "--help"])

    assert answer.exit_code == 0
    assert len(answer.output.splitlines()) >= 5


def test_a_wrong_command_line_exits_with_2() -> None:
    assert CliRunner().invoke(cli.cli, ["up", "--services", "none"]).exit_code == 2
    assert CliRunner().invoke(cli.cli, ["nonsense"]).exit_code == 2


@pytest.mark.parametrize(("command", "spared"), [("web", "alembic|flask"), ("worker", "alembic|flask")])
def test_a_process_imports_what_it_needs_and_no_other_command(command: str, spared: str) -> None:
    asked = f"import sys; from vote.ops.cli import cli; cli(['{command}', '--help'], standalone_mode=False)"
    told = "; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", asked + told], check=True, capture_output=True, text=True).stdout

    assert not set(spared.split("|")) & set(loaded.split())


@pytest.mark.parametrize("command", ["web", "worker", "migrate"])
def test_what_cannot_be_done_exits_with_1_and_the_reason(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(sys, "argv", ["vote", command])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("vote: The settings are wrong:\n  FLASK_SECRET_KEY: ")
