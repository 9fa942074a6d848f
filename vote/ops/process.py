"""One child process: started in a group of its own, tied to our life, ended completely. Who restarts it lives in
`supervisor.py`; what is started is said by whoever builds the `ProcessSpec`.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vote.ops.account import SystemUser, credentials

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_LIBC = ctypes.CDLL(None, use_errno=True)


def no_preparation() -> None:
    """For parts that need nothing before a start."""


def no_waiting() -> bool:
    """For parts nobody waits for."""
    return True


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """How to run one part of the stack.

    `stop_signal` asks it to finish, and after `grace_s` it is killed. `orphan_signal` is what the kernel sends it when
    we die without a word. `prepare` runs before every start, `is_ready` says when the start is over. Without `log` it
    writes where we write.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    grace_s: float = 10
    account: SystemUser | None = None
    folder: Path | None = None
    log: Path | None = None
    prepare: Callable[[], None] = no_preparation
    is_ready: Callable[[], bool] = no_waiting


def die_with_parent(parent: int, orphan_signal: signal.Signals) -> None:
    """Have the kernel send this process a signal when `parent`, its parent, dies (Linux; elsewhere nothing)."""
    if sys.platform != "linux":
        return
    _LIBC.prctl(PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was told
        os.kill(os.getpid(), signal.SIGKILL)


class Process:
    """A part that can be started again and again; at most one life at a time."""

    def __init__(self, part: ProcessSpec) -> None:
        self.part = part
        self._child: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    @property
    def pid(self) -> int:
        """The process id of the present life."""
        if self._child is None:
            raise RuntimeError(f"{self.part.name} was not started")
        return self._child.pid

    @property
    def alive_s(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self._started

    def start(self) -> None:
        """Start it. Raises OSError when the program cannot be run."""
        part, parent = self.part, os.getpid()
        part.prepare()
        with _output(part.log) as output:
            self._child = subprocess.Popen(
                part.command,
                env=dict(part.environ),
                cwd=part.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                process_group=0,  # Ctrl-C in the terminal reaches us alone: we stop the parts in order
                # Only prctl and getppid run between fork and exec, and the user is changed before: changing it later
                # would take the kernel's promise back (prctl(2)).
                preexec_fn=lambda: die_with_parent(parent, part.orphan_signal),  # noqa: PLW1509
                **credentials(part.account),
            )
        self._started = time.monotonic()

    def is_alive(self) -> bool:
        """Whether it runs. The end of a leader is the end of its group: children left behind are killed here."""
        if self._child is None or self._child.returncode is not None:
            return False
        # Look without reaping: until then the process id, and with it the group's, can belong to nobody else.
        ended = os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return True
        self.send_to_group(signal.SIGKILL)
        self._child.wait()
        return False

    @property
    def exit_code(self) -> int | None:
        """The exit status of the last life, negative for a signal; None while it runs."""
        return self._child.returncode if self._child else None

    def run_to_end(self) -> int:
        """Start it, wait, and return its exit status; it does not survive an interruption."""
        self.start()
        try:
            while self.is_alive():
                time.sleep(0.01)
        finally:
            self.kill()
        return self._child.returncode if self._child else 0

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the leader, when it runs."""
        if self.is_alive():
            os.kill(self.pid, number)

    def send_to_group(self, number: signal.Signals) -> None:
        """Send a signal to every process of the group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def stop(self) -> None:
        """Ask it to finish and wait; kill it when the grace is over. Nothing of its group is left."""
        self.send(self.part.stop_signal)
        deadline = time.monotonic() + self.part.grace_s
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.kill()

    def kill(self) -> None:
        """End the whole group at once, as a crash would."""
        if self.is_alive():
            self.send_to_group(signal.SIGKILL)
            while self.is_alive():
                time.sleep(0.005)


@contextlib.contextmanager
def _output(log: Path | None) -> Iterator[IO[bytes] | None]:
    if log is None:
        yield None
        return
    with log.open("ab") as output:
        yield output
