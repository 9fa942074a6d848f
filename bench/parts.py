"""Starts and stops the parts that are measured: `vote web`, `vote worker`, and the bare app under the same server."""

import contextlib
import json
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from bench.ground import ROOT, WEB_PROCESSES, Ground
from bench.voters import HOST
from vote.ops.process import Process, ProcessSpec
from vote.ops.server_start import start_ready

VOTE = str(Path(sys.executable).with_name("vote"))
WITHIN_S = 120.0


class Server(NamedTuple):
    """An HTTP server that is ready. `pids` are the processes whose time its answers take."""

    port: int
    pids: tuple[int, ...]


class Batch(NamedTuple):
    """What a worker said of one batch, and when: right after its commit."""

    at: float
    shard: int
    upto: int
    ballots: int
    seconds: float


class Worker:
    """A running `vote worker`. Its log is read, not its database, so that looking costs the database nothing."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def batches(self) -> list[Batch]:
        """Every batch it has told of, in order."""
        lines = (json.loads(line) for line in self._log.read_text("utf-8").splitlines() if '"event": "batch"' in line)
        return [
            Batch(
                datetime.fromisoformat(line["time"]).timestamp(),
                line["shard"],
                line["last"],
                line["ballots"],
                line["ms"] / 1000,
            )
            for line in lines
        ]

    def last_lines(self) -> str:
        """The end of its log, for when it does not do what it should."""
        return "\n".join(self._log.read_text("utf-8").splitlines()[-5:])

    def wait_recorded(self, ballots: int) -> list[Batch]:
        """Its batches, once they hold this many ballots. Raises TimeoutError."""
        return wait_recorded([self], ballots)


def wait_recorded(workers: Sequence[Worker], ballots: int) -> list[Batch]:
    """The batches of all of them, once they hold this many ballots. Raises TimeoutError."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        batches = [batch for worker in workers for batch in worker.batches()]
        if sum(batch.ballots for batch in batches) >= ballots:
            return batches
        time.sleep(0.2)  # between two looks at the log
    lines = "\n".join(worker.last_lines() for worker in workers)
    raise TimeoutError(f"{ballots:,} ballots were not recorded within {WITHIN_S:g} s:\n{lines}")


@contextlib.contextmanager
def front_door(
    ground: Ground, settings: Mapping[str, str] | None = None, *, processes: int | None = None
) -> Iterator[Server]:
    """`vote web`, ready to acknowledge votes, with some settings of its own."""
    environment = ground.environment | {"PORT": str(free_port())} | dict(settings or {})
    port = int(environment["PORT"])
    if processes is not None:
        environment["WEB_CONCURRENCY"] = str(processes)
    with running(ground, f"web-{port}", [VOTE, "web"], environment, path=f"http://{HOST}:{port}/ready") as process:
        yield Server(port, (process.pid, ground.pair.log_pid))


@contextlib.contextmanager
def bare_app(ground: Ground, app: str = "bench.bare:app") -> Iterator[Server]:
    """A bare app, served with the same configuration and as many processes."""
    port = free_port()
    metrics = ground.folder / f"bare-metrics-{port}"
    metrics.mkdir()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:vote.ops.gunicorn_conf", "--chdir", str(ROOT)]
    command += ["--bind", f"{HOST}:{port}", "--workers", str(WEB_PROCESSES), app]
    environment = ground.environment | {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}  # the server reads settings too
    with running(ground, f"bare-{port}", command, environment, path=f"http://{HOST}:{port}/") as process:
        yield Server(port, (process.pid,))


@contextlib.contextmanager
def worker(ground: Ground) -> Iterator[Worker]:
    """One `vote worker`."""
    name = f"worker-{time.monotonic_ns()}"
    with running(ground, name, [VOTE, "worker"], ground.environment, path=None):
        yield Worker(ground.folder / f"{name}.log")


@contextlib.contextmanager
def running(
    ground: Ground, name: str, command: list[str], environment: dict[str, str], *, path: str | None
) -> Iterator[Process]:
    """A process that has answered 200 at the URL `path`, and is ended afterwards."""
    part = ProcessSpec(
        name=name,
        command=command,
        environ=environment,
        folder=ground.folder,  # where no `.env` lies
        log=ground.folder / f"{name}.log",
        is_ready=lambda: path is None or _answers(path),
    )
    process = Process(part)
    try:
        start_ready(process)
        yield process
    finally:
        process.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
