"""The supervisor as a process: what it starts comes back, ends in order, and never outlives it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stack import wait_until

SLEEP = "started; exec sleep 1000"


class Supervised:
    """A running supervisor and what its parts wrote."""

    def __init__(self, folder: Path, *parts: str) -> None:
        self._started, self._output = folder / "started", folder / "output"
        self._started.touch()
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.ops.supervised", *parts],
                env={**os.environ, "STARTED": str(self._started), "FOLDER": str(folder)},
                stdout=output,
                stderr=output,
            )
        wait_until(lambda: "watching" in self.output)

    @property
    def output(self) -> str:
        return self._output.read_text()

    def pids(self, name: str) -> list[int]:
        """The process ids of the lives of a part, oldest first."""
        lines = [line.split() for line in self._started.read_text().splitlines()]
        return [int(pid) for part, pid in lines if part == name]

    def wait_for_life(self, name: str, number: int) -> int:
        """The process id of a part's life, counted from 1, when it has begun."""
        return wait_until(lambda: self.pids(name)[number - 1 : number], what=f"life {number} of {name}")[0]


Supervise = Callable[..., Supervised]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    running: list[Supervised] = []

    def start(*parts: str) -> Supervised:
        running.append(Supervised(tmp_path, *parts))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.wait()


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_part_that_is_killed_comes_back_and_the_others_are_left_alone(supervise: Supervise) -> None:
    one = supervise(f"db={SLEEP}", f"web={SLEEP}")
    first = one.wait_for_life("web", 1)

    os.kill(first, signal.SIGKILL)

    second = one.wait_for_life("web", 2)
    os.kill(second, signal.SIGKILL)
    one.wait_for_life("web", 3)
    assert one.pids("db") == one.pids("db")[:1]
    assert is_alive(one.pids("db")[0])
    assert "web ended (signal 9); restarting it now." in one.output
    assert "web ended (signal 9); restarting it in 0.2 s." in one.output


def test_a_part_that_ends_by_itself_is_told_with_its_exit_code(supervise: Supervise) -> None:
    one = supervise('web=started; [ -e "$FOLDER/tried" ] && exec sleep 1000; touch "$FOLDER/tried"; exit 3')

    one.wait_for_life("web", 2)

    assert "web ended (exit code 3); restarting it now." in one.output


def test_what_a_dead_part_left_is_ended_before_it_starts_again(supervise: Supervise) -> None:
    one = supervise('web=sleep 1000 & echo "child $!" >> "$STARTED"; started; wait')
    master = one.wait_for_life("web", 1)
    child = one.wait_for_life("child", 1)

    os.kill(master, signal.SIGKILL)

    one.wait_for_life("web", 2)
    wait_until(lambda: not is_alive(child), what="the end of what was killed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_parts_last_first_and_kills_the_deaf(supervise: Supervise, number: signal.Signals) -> None:
    polite = 'trap \'echo "end-{0} 0" >> "$STARTED"; exit\' TERM; started; while :; do sleep 0.02; done'
    deaf = "trap '' TERM; started; exec sleep 1000"
    one = supervise(f"db={polite.format('db')}", f"deaf={deaf}", f"web={polite.format('web')}")
    pids = [one.wait_for_life(name, 1) for name in ("db", "deaf", "web")]

    one.process.send_signal(number)
    one.process.wait(timeout=30)

    ends = [line for line in (one._started.read_text().splitlines()) if line.startswith("end-")]
    assert ends == ["end-web 0", "end-db 0"]
    assert not [pid for pid in pids if is_alive(pid)]


def test_no_part_outlives_a_supervisor_that_was_killed(supervise: Supervise) -> None:
    one = supervise(f"db={SLEEP}", f"frozen={SLEEP}")
    db, frozen = one.wait_for_life("db", 1), one.wait_for_life("frozen", 1)
    os.kill(frozen, signal.SIGSTOP)

    one.process.kill()
    one.process.wait()

    wait_until(lambda: not is_alive(db) and not is_alive(frozen))
