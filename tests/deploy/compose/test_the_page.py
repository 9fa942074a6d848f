"""Each command of docs/deploy.md, read out of the page and run: on a laptop, and on one host.

What every test of this folder starts with (`house`) is the page's `setup`; test_upgrade.py runs the lines that upgrade,
roll back and restore; here are the others, in the page's order.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.deploy.compose.conftest import House
from tests.deploy.compose.page import ONE_HOST, SCRIPTS, commands
from tests.stack import free_port, wait_until
from tests.unit.tree import ROOT, tracked

INSTALL_S = 300
LAPTOP = commands("A laptop")


@pytest.mark.parametrize("command", [line for line in ONE_HOST if line not in SCRIPTS.values()])
def test_a_command_for_one_host(house: House, command: str) -> None:
    ended = house.host.shell(command)

    assert ended.code == 0, ended.said
    assert house.cast(house.competition, house.tokens[0]).status in (200, 202)


def test_each_script_of_the_page_has_a_test_that_runs_its_line() -> None:
    """One more needs one: see the top of this file."""
    assert set(SCRIPTS) == {"setup", "restart", "upgrade", "rollback", "restore"}


def test_a_restart_fails_nobody_and_brings_settings(house: House) -> None:
    """The text around it: settings stand in secrets/settings.env."""
    (house.host.folder / "secrets/settings.env").write_text("LIMIT_API_PER_S=301\n", "utf-8")
    before = house.host.container("web-1")["Id"]
    competition = house.open_competition()

    with house.voting(competition) as load:
        ended = house.host.shell(SCRIPTS["restart"])

    assert (ended.code, load.counts.failed) == (0, []), ended.said
    assert house.host.container("web-1")["Id"] != before
    assert house.host.exec("web-1", "printenv", "LIMIT_API_PER_S").strip() == "301"


def test_the_commands_for_a_laptop(tmp_path: Path) -> None:
    """In a fresh checkout: what is installed here by hand is not there."""
    for path in tracked():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    port = str(free_port())
    start, ask = (command.replace("8080", port) for command in LAPTOP)
    process = subprocess.Popen(
        ["sh", "-ec", f"exec {start}"], cwd=tmp_path, env={**os.environ, "PORT": port}, start_new_session=True
    )
    try:
        wait_until(
            lambda: subprocess.run(["sh", "-c", ask], capture_output=True, check=False, timeout=10).returncode == 0,
            what="the page's own question is answered",
            within=INSTALL_S,
        )
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
