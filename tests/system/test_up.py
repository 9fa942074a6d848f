"""`vote up` as a person meets it: a new home, Ctrl-C, crashes, a second copy, another user's folder."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import dotenv
import psycopg
import pytest
import websocket

from tests.stack import VOTE, Answer, Stack, free_port, wait_until
from vote.ops.account import Account, credentials
from vote.ops.embedded.programs import Services

pytestmark = pytest.mark.system

START_S = 120.0  # five Python processes and an initdb, on a machine that may be busy with other tests
PASSED_ON = ("PATH", "LANG", "TMPDIR")


class Up(Stack):
    """A running `vote up`, asked as any stack is."""

    def __init__(
        self, home: Path, *, command: list[str], account: Account | None, services: Services, **environ: str
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = home
        self._output = home.with_name(f"output-{self.port}")
        self.environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {
            "VOTE_HOME": str(home),
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "1",
            **environ,
        }
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "up", "--services", services],
                env=self.environment,
                stdout=output,
                stderr=output,
                cwd=home.parent,
                **credentials(account),
            )

    @property
    def output(self) -> str:
        return self._output.read_text("utf-8")

    def wait_ready(self) -> None:
        answers: list[bytes] = []

        def is_ready() -> bool:
            assert self.process.poll() is None, self.output[-3000:]
            with contextlib.suppress(OSError):
                answer = self.get("/ready")
                answers.append(answer.body)
                return answer.status == 200
            return False

        try:
            wait_until(is_ready, what="/ready is 200", within=START_S)
        except AssertionError as error:
            raise AssertionError(f"{error}, but {answers[-1:]}; it wrote:\n{self.output[-3000:]}") from None

    @property
    def password(self) -> str:
        return (self.home / "admin-password").read_text().strip()

    def log_in(self) -> str:
        """A token of the admin. Votes are accepted without PostgreSQL, logins are not: it may still be coming back."""
        answers: list[Answer] = []

        def log_in() -> bool:
            with contextlib.suppress(OSError):
                answers.append(self.post("/login", {"username": "admin", "password": self.password}))
            return bool(answers) and answers[-1].status == 200

        wait_until(log_in, what="the admin is logged in")
        return str(answers[-1].json["token"])

    def wait_for_vote(self, choice: str, token: str | None = None) -> Answer:
        """The admin's vote in the demo competition, sent until it is accepted, as the page does."""
        accepted: list[Answer] = []
        own = token or self.log_in()

        def cast() -> bool:
            with contextlib.suppress(OSError):
                answer = self.vote(1, choice, own)
                accepted.extend([answer] if answer.status in (200, 202) else [])
            return bool(accepted)

        wait_until(cast, what="a vote is accepted")
        return accepted[0]

    def pids_of(self, part: str) -> list[int]:
        """The processes `vote up` started whose command line has the pattern `part`; their own children not counted."""
        children = [pid for pid, parent in parents().items() if parent == self.process.pid]
        return [pid for pid in children if re.search(part, command_of(pid))]

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=START_S)


def parents() -> dict[int, int]:
    """The parent of each process that is alive."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
                if state != "Z":
                    found[int(folder.name)] = int(parent)
    return found


def descendants(pid: int) -> set[int]:
    """Every process below `pid`."""
    tree = parents()
    found: set[int] = set()
    new = {pid}
    while new:
        new = {child for child, parent in tree.items() if parent in new} - found
        found |= new
    return found


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


Start = Callable[..., Up]


@pytest.fixture(scope="module")
def start(services: Services) -> Iterator[Start]:
    """Starts `vote up`; all of them are ended, and what they left outside their homes is removed."""
    running: list[Up] = []

    def one(home: Path, *, command: list[str] = VOTE, account: Account | None = None, **environ: str) -> Up:
        running.append(Up(home, command=command, account=account, services=services, **environ))
        return running[-1]

    yield one
    for up in running:
        if up.process.poll() is None:
            up.end()
        data = up.home / "servers"
        if data.is_symlink():
            shutil.rmtree(data.resolve(), ignore_errors=True)


@pytest.fixture(scope="module")
def up(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Up:
    """A stack that several tests share."""
    one = start(tmp_path_factory.mktemp("up") / "home")
    one.wait_ready()
    return one


def test_it_tells_address_and_password_before_it_is_ready(up: Up) -> None:
    told = up.output.split('{"request_id"')[0]  # what was written before the first answer

    assert up.url in told
    assert re.search(r"^Servers: .*(PostgreSQL).*(Valkey|Redis)", told, re.MULTILINE)
    assert str(up.home / "admin-password") in told
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


def test_everything_survives_ctrl_c_and_nothing_keeps_running(start: Start, tmp_path: Path) -> None:
    first = start(tmp_path / "home")
    first.wait_ready()
    receipt = first.wait_for_vote("b").json["receipt"]
    password, below = first.password, descendants(first.process.pid)
    assert len(below) >= 5

    assert first.end() == 0

    assert not below & parents().keys()
    second = start(tmp_path / "home")
    second.wait_ready()
    assert second.password == password
    again = second.wait_for_vote("b")
    assert (again.status, again.json["receipt"]) == (200, receipt)
    wait_until(lambda: second.results(1)["options"] == {"a": 0, "b": 1})
    assert second.end(signal.SIGTERM) == 0


def test_a_start_after_kill_9_finds_everything_and_no_old_process(start: Start, tmp_path: Path) -> None:
    first = start(tmp_path / "home")
    first.wait_ready()
    receipt = first.wait_for_vote("a").json["receipt"]
    below = descendants(first.process.pid)
    (postmaster,) = first.pids_of("postgres -D")
    os.kill(postmaster, signal.SIGSTOP)  # it cannot even hear that its parent is gone

    first.process.kill()
    first.process.wait()
    second = start(tmp_path / "home")
    second.wait_ready()

    again = second.wait_for_vote("a")
    assert (again.status, again.json["receipt"]) == (200, receipt)
    wait_until(lambda: not below & parents().keys())
    assert second.end() == 0


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


def ordinary_user() -> tuple[Account | None, list[str], dict[str, str]]:
    """Who is a user without rights, how that user runs `vote`, and with what in the environment."""
    if os.geteuid() != 0:
        return None, VOTE, {}
    entry = pwd.getpwnam("nobody")
    nobody = Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
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
