"""`vote up` as a process: started as a person would, asked as any stack is, and what it has started."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import log_schema
from tests.stack import VOTE, Answer, Stack, free_port, wait_until
from vote.ops.account import SystemUser, credentials
from vote.ops.embedded.programs import ServerSource

START_S = 120.0  # five Python processes and an initdb, on a machine that may be busy with other tests
PASSED_ON = ("PATH", "LANG", "TMPDIR")


class Up(Stack):
    """A running `vote up`, asked as any stack is."""

    def __init__(
        self, home: Path, *, command: list[str], account: SystemUser | None, server_source: ServerSource, **environ: str
    ) -> None:
        self.port, self.metrics_port = free_port(), free_port(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = home
        self._output = home.with_name(f"output-{self.port}")
        self.environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {
            "VOTE_HOME": str(home),
            "PORT": str(self.port),
            "METRICS_PORT": str(self.metrics_port),
            "WEB_CONCURRENCY": "1",
            **environ,
        }
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "up", "--services", server_source],
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
        code = self.process.wait(timeout=START_S)
        self.check_lines()
        return code

    def check_lines(self) -> None:
        """Fail unless every line of its parts satisfies docs/logs.schema.json; between them it speaks to people."""
        wrong = list(log_schema.wrong_lines(line for line in self.output.splitlines() if line.startswith("{")))
        assert not wrong, "\n".join(wrong[:20])


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
def start(server_source: ServerSource) -> Iterator[Start]:
    """Starts `vote up`; all of them are ended, and what they left outside their homes is removed."""
    running: list[Up] = []

    def one(home: Path, *, command: list[str] = VOTE, account: SystemUser | None = None, **environ: str) -> Up:
        running.append(Up(home, command=command, account=account, server_source=server_source, **environ))
        return running[-1]

    yield one
    for up in running:
        if up.process.poll() is None:
            up.end()
        elif up.home.parent.exists():
            up.check_lines()
        data = up.home / "servers"
        if data.is_symlink():
            shutil.rmtree(data.resolve(), ignore_errors=True)


@pytest.fixture(scope="module")
def up(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Up:
    """A stack that several tests share."""
    one = start(tmp_path_factory.mktemp("up") / "home")
    one.wait_ready()
    return one


def vote(up: Up, *words: str) -> subprocess.CompletedProcess[str]:
    """A command on the installation of `up`."""
    return subprocess.run(
        [*VOTE, *words], env=up.environment, capture_output=True, text=True, check=False, cwd=up.home.parent
    )
