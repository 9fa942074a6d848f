"""A worker whose loop stands still ends itself; one that only waits for its stores goes on."""

import fcntl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO

import pytest

from tests.stack import wait_until
from vote.worker import watchdog
from vote.worker.watchdog import EXIT_CODE, Watchdog

PIPE_BYTES = 4_096
# The real command, whose patience is less than half a minute: nobody waits for that in a test.
WORKER = (
    "from vote.worker import watchdog; watchdog.TURN_WITHIN_S = 6.0;"
    " from vote.ops.cli import cli; cli(['worker'], standalone_mode=False)"
)
Start = Callable[[dict[str, str], IO[bytes] | int], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    begun: list[subprocess.Popen[bytes]] = []

    def run(environment: dict[str, str], output: IO[bytes] | int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", WORKER]
        begun.append(subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT))
        return begun[-1]

    yield run
    for process in begun:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_a_worker_whose_loop_stands_still_ends_itself(environment: dict[str, str], start: Start) -> None:
    """Nobody empties the pipe of its lines: the loop stands still in the middle of one, for ever."""
    away = environment | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/vote"}  # so that it has much to tell
    worker = start(away, subprocess.PIPE)
    assert worker.stdout is not None
    fcntl.fcntl(worker.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    wait_until(lambda: worker.poll() is not None, what="it ended itself", within=60)

    assert worker.returncode == EXIT_CODE


def test_a_worker_that_waits_for_its_stores_goes_on(
    environment: dict[str, str], start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    away = environment | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/vote"}
    path = tmp_path_factory.mktemp("worker") / "lines"
    with path.open("wb") as output:
        worker = start(away, output)
        # Each turn waits two seconds for a connection that cannot be made: seven are more than twice its patience.
        wait_until(lambda: path.read_text("utf-8").count('"waiting"') >= 7, what="it goes on trying", within=60)

    assert worker.poll() is None


def test_a_loop_that_beats_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(watchdog, "TURN_WITHIN_S", 2.0)
    ended, enough = threading.Event(), threading.Event()
    one = Watchdog(ended.set)
    one.start()
    for _ in range(50):
        one.beat()
        enough.wait(0.1)  # the pace of a loop
    one.close()

    assert not ended.is_set()
