"""`vote up` as a person meets it: a new home, a second copy, parts that are killed, commands beside it. One for all."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
from pathlib import Path

import dotenv
import psycopg
import pytest
import websocket

from tests.stack import VOTE, wait_until
from tests.system.up import START_S, Start, Up, command_of, descendants, start, up, vote

pytestmark = pytest.mark.system
__all__ = ["start", "up"]  # the fixtures

ROLES = ("vote_web", "vote_worker", "vote_reports", "vote_backup")
# Which files of VOTE_HOME/secrets a kind of process may be told; all other processes none.
MAY_KNOW = {
    "hash_process.py": set[str](),
    "gunicorn": {"FLASK_SECRET_KEY", "JWT_SECRET", "postgres-vote_web", "postgres-vote_reports"},
    "vote worker": {"CHECKPOINT_KEY", "postgres-vote_worker"},
    "vote backup": {"postgres-vote_backup"},
    "pg_receivewal": {"postgres-vote_backup"},
    "pg_basebackup": {"postgres-vote_backup"},
}


def ask_health(port: int) -> int | None:
    """The status of /health; None when nobody answers in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except TimeoutError:
        return None
    finally:
        connection.close()


def test_it_tells_address_and_password_before_it_is_ready(up: Up) -> None:
    told = up.output.split('{"request_id"')[0]  # what was written before the first answer

    assert up.url in told
    assert re.search(r"^Servers: .*(PostgreSQL).*(Valkey|Redis)", told, re.MULTILINE)
    assert f"{up.home / 'admin-password'}; change it at {up.url}/account" in told
    assert up.password not in up.output


def test_a_new_home_has_an_admin_and_an_open_competition(up: Up) -> None:
    assert len(up.password) >= 16
    assert (up.home / "admin-password").stat().st_mode & 0o777 == 0o600
    accepted = up.wait_for_vote("a")
    assert accepted.json["competition"] == 1
    wait_until(lambda: up.results(1)["options"]["a"] == 1)


def test_nothing_in_the_home_can_be_read_by_others(up: Up) -> None:
    assert up.home.stat().st_mode & 0o777 == 0o700
    private = [*(up.home / "secrets").iterdir(), up.home / "environment"]
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert {path.name for path in private} >= {"FLASK_SECRET_KEY", "JWT_SECRET", "postgres-vote_web"}
    data = (up.home / "servers").resolve()
    assert {path.stat().st_mode & 0o777 for path in (data, data / "sockets", data / "postgres")} == {0o700}


def test_each_part_logs_in_as_its_own_role_and_knows_no_other(up: Up) -> None:
    urls = {name: value for name, value in dotenv.dotenv_values(up.home / "environment").items() if value}
    with psycopg.connect(urls["DATABASE_URL"]) as owner:

        def roles() -> set[str]:
            query = (
                "SELECT DISTINCT usename FROM pg_stat_activity WHERE usename LIKE 'vote%' AND pid <> pg_backend_pid()"
            )
            return {row[0] for row in owner.execute(query)}

        # The owner migrates and leaves; the role of reports reads for those who watch.
        watching = websocket.create_connection(f"ws://127.0.0.1:{up.port}/live/1", timeout=START_S)
        wait_until(lambda: roles() == {"vote_web", "vote_worker", "vote_reports", "vote_backup"})
        watching.close()

    def known(part: str) -> set[str]:
        text = Path(f"/proc/{up.pids_of(part)[0]}/environ").read_text()
        return {name for name, url in urls.items() if name.startswith("DATABASE_URL") and url in text}

    assert known("vote worker") == {"DATABASE_URL_WORKER"}
    assert known("vote.asgi:app") == {"DATABASE_URL_WEB", "DATABASE_URL_REPORTS"}


def test_no_process_knows_a_secret_it_does_not_need(up: Up) -> None:
    up.log_in()  # so that the process that hashes passwords is there
    noted = {name: value for name, value in dotenv.dotenv_values(up.home / "environment").items() if value}
    secrets = {path.name: path.read_text().strip() for path in (up.home / "secrets").iterdir()}
    secrets |= {"admin-password": up.password}
    assert secrets.keys() >= {*MAY_KNOW["gunicorn"], *MAY_KNOW["vote worker"], *MAY_KNOW["vote backup"]}
    assert all(secrets[f"postgres-{role}"] in noted[f"DATABASE_URL_{role[5:].upper()}"] for role in ROLES)

    seen = set()
    for pid in descendants(up.process.pid) | {up.process.pid}:
        command = command_of(pid)
        kind = next((kind for kind in MAY_KNOW if kind in command), "")
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            environ = Path(f"/proc/{pid}/environ").read_text()
            seen |= {kind} | ({"hash_process.py"} if "hash_process.py" in command else set())
            known = {name for name, secret in secrets.items() if secret in environ}
            assert known <= MAY_KNOW.get(kind, set()), command
            assert not [name for name, secret in secrets.items() if secret in command], "seen by everybody in ps"
    assert seen >= {"", "gunicorn", "vote worker", "vote backup", "pg_receivewal", "hash_process.py"}


def test_worker_and_backups_say_that_they_turn(up: Up) -> None:
    """The first worker on METRICS_PORT, backups on the next one; a frozen process answers nothing."""
    ports = {"vote worker": up.metrics_port, "vote backup": up.metrics_port + 1}
    for name, port in ports.items():
        assert ask_health(port) == 200, name
        pid = next(pid for pid in descendants(up.process.pid) if name in command_of(pid))
        os.kill(pid, signal.SIGSTOP)
        try:
            assert ask_health(port) is None, name
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_second_copy_is_refused_at_once(up: Up, start: Start) -> None:
    second = start(up.home)

    assert second.process.wait(timeout=START_S) == 1
    assert f"process {up.process.pid}) already uses {up.home}" in second.output
    assert up.get("/ready").status == 200


def test_a_taken_port_and_a_wrong_setting_are_refused_before_anything_starts(
    up: Up, start: Start, tmp_path: Path
) -> None:
    taken = start(tmp_path / "home", PORT=str(up.port))
    assert taken.process.wait(timeout=START_S) == 1
    assert f"127.0.0.1:{up.port} cannot be used (Address already in use)" in taken.output

    wrong = start(tmp_path / "other", PORT="many")
    assert wrong.process.wait(timeout=START_S) == 1
    assert "PORT: " in wrong.output
    assert not (tmp_path / "home" / "servers").exists()


@pytest.mark.parametrize("part", ["vote worker", "vote.asgi:app", "postgres -D", "(valkey|redis)-server"])
def test_a_part_that_is_killed_comes_back(up: Up, part: str) -> None:
    token = up.log_in()
    (victim,) = up.pids_of(part)

    os.kill(victim, signal.SIGKILL)

    wait_until(lambda: up.pids_of(part) not in ([], [victim]))
    up.wait_for_vote("a", token)
    wait_until(lambda: up.get("/ready").status == 200)


def test_commands_find_the_running_stack(up: Up) -> None:
    done = subprocess.run(
        [*VOTE, "admin", "create", "second", "--email", "second@example.com", "--json"],
        env=up.environment,
        input="Long-and-rare-1\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=up.home.parent,
    )

    assert '"username": "second"' in done.stdout
    assert up.post("/login", {"username": "second", "password": "Long-and-rare-1"}).status == 200


def test_replay_says_what_it_recorded(up: Up) -> None:
    up.wait_for_vote("a")
    wait_until(lambda: up.results(1)["options"]["a"] == 1)

    told = vote(up, "replay", "--json")

    assert told.returncode == 0, told.stderr
    assert '"recorded": 0' in told.stdout
