"""`vote up` that is ended and started again, on servers that are given, and by a user without rights."""

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from tests.stack import VOTE, wait_until
from tests.system.up import Start, descendants, parents, start
from vote.ops.account import SystemUser, credentials

pytestmark = [pytest.mark.slow, pytest.mark.system]
__all__ = ["start"]  # the fixture


def test_everything_survives_kill_9_and_ctrl_c_and_nothing_keeps_running(start: Start, tmp_path: Path) -> None:
    first = start(tmp_path / "home")
    first.wait_ready()
    receipt, password = first.wait_for_vote("b").json["receipt"], first.password
    below = descendants(first.process.pid)
    (postmaster,) = first.pids_of("postgres -D")
    os.kill(postmaster, signal.SIGSTOP)  # it cannot even hear that its parent is gone

    first.process.kill()
    first.process.wait()
    second = start(tmp_path / "home")
    second.wait_ready()

    again = second.wait_for_vote("b")
    assert (again.status, again.json["receipt"], second.password) == (200, receipt, password)
    wait_until(lambda: not below & parents().keys())
    below = descendants(second.process.pid)
    assert len(below) >= 5

    assert second.end() == 0

    assert not below & parents().keys()
    third = start(tmp_path / "home")
    third.wait_ready()
    again = third.wait_for_vote("b")
    assert (again.status, again.json["receipt"], third.password) == (200, receipt, password)
    wait_until(lambda: third.results(1)["options"] == {"a": 0, "b": 1})
    assert third.end(signal.SIGTERM) == 0


def test_servers_that_are_given_are_used_and_not_started(
    start: Start, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    one = start(tmp_path / "home", DATABASE_URL=database_url, REDIS_URL=redis_url)
    one.wait_ready()
    one.wait_for_vote("a")

    assert [one.pids_of(part) for part in ("postgres -D", "(valkey|redis)-server")] == [[], []]
    assert not (one.home / "servers").exists()
    for part in ("vote worker", "vote.asgi:app"):
        assert f"DATABASE_URL={database_url}\0" in Path(f"/proc/{one.pids_of(part)[0]}/environ").read_text()
    assert one.end() == 0


def test_only_the_server_that_is_missing_is_started(start: Start, tmp_path: Path, database_url: str) -> None:
    one = start(tmp_path / "home", DATABASE_URL=database_url)
    one.wait_ready()

    assert one.pids_of("postgres -D") == []
    assert len(one.pids_of("(valkey|redis)-server")) == 1
    assert one.end() == 0


def test_an_ordinary_user_runs_it_from_a_folder_nobody_else_can_enter(start: Start) -> None:
    account, command, environ = ordinary_user()
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path: for root that lies where no other user gets
        if account:
            account.give(Path(folder))
        one = start(Path(folder) / "home", command=command, account=account, **environ)

        one.wait_ready()
        one.wait_for_vote("a")

        (postmaster,) = one.pids_of("postgres -D")
        assert Path(f"/proc/{postmaster}").stat().st_uid == one.home.stat().st_uid == Path(folder).stat().st_uid
        assert not (one.home / "servers").is_symlink()
        assert one.end() == 0


def ordinary_user() -> tuple[SystemUser | None, list[str], dict[str, str]]:
    """Who is a user without rights, how that user runs `vote`, and with what in the environment."""
    if os.geteuid() != 0:
        return None, VOTE, {}
    entry = pwd.getpwnam("nobody")
    nobody = SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
    # This Python may lie in root's home; the system's own, in the same version, takes the same packages.
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    packages = ":".join([str(Path(psycopg.__file__).parents[1]), str(Path(__file__).parents[2])])
    for python, environ in ((sys.executable, {}), (system, {"PYTHONPATH": packages})):
        environ["PYTHONDONTWRITEBYTECODE"] = "1"
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run(
                [python, "-c", "import vote.ops.cli"], env=environ, cwd="/", check=True, **credentials(nobody)
            )
            return nobody, [python, *VOTE], environ
    pytest.skip(f"neither {sys.executable} nor {system} can be run by the user nobody")
