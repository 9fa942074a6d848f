"""The running system for tests: web processes and workers started as an operator starts them, on a port of their own."""

import contextlib
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil

from tests import log_schema

T = TypeVar("T")

DEADLINE_S = 30.0  # for anything that should happen soon; a deadline is not a timing assertion
VOTE = [str(Path(sys.executable).with_name("vote"))]


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def wait_until(condition: Callable[[], T], *, what: str = "", within: float = DEADLINE_S) -> T:
    """The first true value of `condition`, or an AssertionError at the deadline."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"did not happen within {within:g} s: {what or condition}"
        time.sleep(0.02)  # between two looks at the condition


# Below those that outgoing connections get. Each worker of the suite has a part of its own and goes round in it: a port that
# was chosen and not yet bound, or that belongs to a server which a test will start again, is given to nobody else.
LOWEST_PORT, PORTS = 20_000, 12_000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
FIRST_PORT = LOWEST_PORT + PORTS * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_turns = itertools.count(random.randrange(PORTS))


def free_port(count: int = 1) -> int:
    """A port nobody listens on now, nor on the `count - 1` after it, and that was not given before."""
    while True:
        turn = [next(_turns) % PORTS for _ in range(count)]
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for port in range(FIRST_PORT + turn[0], FIRST_PORT + turn[0] + count):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            if turn[0] + count <= PORTS:
                return FIRST_PORT + turn[0]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


class Stack:
    """Web and workers on one database and log. `environment` is what the processes see, `of_worker` what else workers do."""

    def __init__(
        self,
        environment: Mapping[str, str],
        folder: Path,
        *,
        workers: int = 1,
        of_worker: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**environment, "PORT": str(self.port)}
        self._folder = folder
        self._of_worker = dict(of_worker or {})
        self._web = self._start("web")
        self._workers = [self._start("worker", number) for number in range(workers)]

    @property
    def worker_pids(self) -> list[int]:
        return [worker.pid for worker in self._workers]

    @property
    def web_pid(self) -> int:
        return self._web.pid

    def _start(self, part: str, number: int = 0) -> subprocess.Popen[bytes]:
        with (self._folder / f"{part}-{number}.log").open("ab") as output:
            own = self._of_worker if part == "worker" else {}
            return subprocess.Popen([*VOTE, part], env=self.environment | own, stdout=output, stderr=output)

    @property
    def logs(self) -> list[Path]:
        """The files with all that its parts have written."""
        return sorted(self._folder.glob("*.log"))

    def lines(self, part: str = "web") -> list[dict[str, Any]]:
        """The JSON lines that a part has written."""
        texts = [path.read_text("utf-8") for path in sorted(self._folder.glob(f"{part}-*.log"))]
        return [json.loads(line) for text in texts for line in text.splitlines() if line.startswith("{")]

    def wait_ready(self) -> None:
        """Return when a vote can be acknowledged."""

        def is_ready() -> bool:
            assert self._web.poll() is None, (self._folder / "web-0.log").read_text("utf-8")[-3000:]
            with contextlib.suppress(OSError):
                return self.get("/ready").status == 200
            return False

        wait_until(is_ready, what="/ready is 200")

    def restart_web(self, changed: Mapping[str, str]) -> None:
        """End the web as a rolling update does, and start it on the same port with some settings changed."""
        self.environment = {**self.environment, **changed}
        self._web.terminate()
        self._web.wait(timeout=DEADLINE_S)
        self._web = self._start("web")
        self.wait_ready()

    def web_processes_alone(self) -> Iterator[int]:
        """The pid of each process of the web in turn, the others stopped in time: only this one takes connections.

        An idle server may give a hundred connections in a row to one process, so asking often does not ask all.
        """
        processes = psutil.Process(self._web.pid).children()
        for alone in processes:
            others = [process for process in processes if process != alone]
            try:
                for other in others:
                    other.suspend()
                yield alone.pid
            finally:
                for other in others:
                    other.resume()

    def kill_web(self) -> None:
        """kill -9 of all web processes."""
        self._web.kill()
        self._web.wait()

    def start_web(self) -> None:
        """Start the web that was killed, on the same port. Returns when it is ready."""
        self._web = self._start("web")
        self.wait_ready()

    def kill_worker(self, index: int = 0) -> None:
        """kill -9, and start another one in its place."""
        self._workers[index].kill()
        self._workers[index].wait()
        self._workers[index] = self._start("worker", index)

    def stop_worker(self, index: int = 0) -> None:
        """kill -9 without another one."""
        self._workers[index].kill()
        self._workers[index].wait()

    def start_worker(self, index: int = 0) -> None:
        """Start the one that was stopped."""
        self._workers[index] = self._start("worker", index)

    def freeze_worker(self, index: int = 0) -> None:
        """Stop it in time, as a swapping machine does."""
        self._workers[index].send_signal(signal.SIGSTOP)

    def thaw_worker(self, index: int = 0) -> None:
        self._workers[index].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End everything."""
        for process in (*self._workers, self._web):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in (*self._workers, self._web):
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    # --- talking to it as a client that is not a browser -----------------------------------------------------------
    def request(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Any = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; `body` is sent as JSON unless it is bytes. Redirects are not followed."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=dict(headers or {}))
        if data is not None:
            request.add_header("Content-Type", content_type)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with _OPENER.open(request, timeout=DEADLINE_S) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def get(self, path: str, **how: Any) -> Answer:
        return self.request("GET", path, **how)

    def post(self, path: str, body: Any = None, **how: Any) -> Answer:
        return self.request("POST", path, body={} if body is None else body, **how)

    def vote(self, competition: int, choice: str, token: str | None, **how: Any) -> Answer:
        return self.post(f"/vote/{competition}", {"vote": choice}, token=token, **how)

    def results(self, competition: int, token: str | None = None) -> Any:
        return self.get(f"/api/competitions/{competition}/results", token=token).json


@contextlib.contextmanager
def running(
    environment: Mapping[str, str], folder: Path, *, workers: int = 1, of_worker: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """A stack that is ready, ended afterwards; then every line that it has written satisfies docs/logs.schema.json."""
    folder.mkdir(parents=True, exist_ok=True)
    stack = Stack(environment, folder, workers=workers, of_worker=of_worker)
    try:
        stack.wait_ready()
        yield stack
    finally:
        stack.stop()
    for path in stack.logs:
        log_schema.check(path)
