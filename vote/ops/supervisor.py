"""Supervise the parts of a stack: keep them alive, and stop them in order.

Single-threaded, as parts die with the thread that started them.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import NoReturn, Self

from vote.errors import VoteError
from vote.ops.process import Process, ProcessSpec
from vote.ops.restart_backoff import RestartBackoff
from vote.ops.server_start import start_ready

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """A supervisor that runs parts inside a `with` block, whose end stops them all, the last started first.

    Inside the block SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt anywhere, even while a part starts. `report` gets a
    sentence when a part has ended and is restarted.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._lives: list[_Life] = []
        self._wakeup = _Wakeup()

    def __enter__(self) -> Self:
        self._wakeup.open()
        self._before = {number: signal.signal(number, signal.default_int_handler) for number in STOP_SIGNALS}
        return self

    def start(self, part: ProcessSpec) -> Process:
        """Start a part, wait until it is ready, and keep it running afterwards. Raises ConfigError if it does not start."""
        life = _Life(Process(part), self._report)
        self._lives.append(life)  # before the start: an interrupted start is stopped too
        start_ready(life.process)
        return life.process

    def watch(self) -> NoReturn:
        """Restart parts that die, until a signal raises KeyboardInterrupt."""
        while True:
            due = [life.tend(time.monotonic()) for life in self._lives]
            self._wakeup.wait(min((moment for moment in due if moment is not None), default=None))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave a part behind; each has its deadline
        for life in reversed(self._lives):
            life.process.stop()
        self._wakeup.close()
        for number, handler in self._before.items():
            signal.signal(number, handler)


class _Life:
    """A part and its restart time."""

    def __init__(self, process: Process, report: Callable[[str], None]) -> None:
        self.process = process
        self._report = report
        self._backoff = RestartBackoff()
        self._start_at: float | None = None

    def tend(self, now: float) -> float | None:
        """Restart it if it is dead and due. Returns the time of its next restart, or None while it runs."""
        if self._start_at is None and not self.process.is_alive():
            cause = _exit_text(self.process.exit_code)
            self._schedule_restart(now, f"{self.process.part.name} ended ({cause})", self.process.alive_s)
        if self._start_at is not None and now >= self._start_at:
            self._start_at = None
            try:
                self.process.start()
            except (OSError, VoteError) as error:
                self._schedule_restart(now, f"{self.process.part.name} could not be started: {error}", 0)
        return self._start_at

    def _schedule_restart(self, now: float, problem: str, alive_s: float) -> None:
        delay_s = self._backoff.delay_s(alive_s)
        self._start_at = now + delay_s
        self._report(f"{problem}; restarting it {f'in {delay_s:g} s' if delay_s else 'now'}.")


class _Wakeup:
    """A sleep that ends when a child dies (self-pipe)."""

    def open(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        signal.signal(signal.SIGCHLD, _wake)  # the default action would put no byte into the pipe
        self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def wait(self, until: float | None) -> None:
        """Return when a signal has arrived since the last call, or at `until` (time.monotonic)."""
        timeout = None if until is None else max(0, until - time.monotonic())
        if select.select([self._read], [], [], timeout)[0]:
            os.read(self._read, 4096)

    def close(self) -> None:
        signal.set_wakeup_fd(self._before)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._read)
        os.close(self._write)


def _wake(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the byte in the pipe is what counts."""


def _exit_text(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code}"
    return f"exit code {exit_code}"
