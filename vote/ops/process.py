"""A child process: in its own group, bound to our lifetime, and ended completely. `supervisor.py` restarts it."""

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
    """Do nothing, for parts that need no preparation."""


def no_waiting() -> bool:
    """Return True, for parts that are ready at once."""
    return True


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """The specification of a process: how to run a part of the stack."""

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
    """Have the kernel send this process a signal when `parent`, its parent, dies (Linux; elsewhere does nothing)."""
    if sys.platform != "linux":
        return
    _LIBC.prctl(PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
    if os.getppid() != parent:  # it died before the prctl call
        os.kill(os.getpid(), signal.SIGKILL)


class Process:
    """A part that can be started repeatedly, with at most one run at a time."""

    def __init__(self, part: ProcessSpec) -> None:
        self.part = part
        self._child: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    @property
    def pid(self) -> int:
        """Return the process id of the current run."""
        if self._child is None:
            raise RuntimeError(f"{self.part.name} was not started")
        return self._child.pid

    @property
    def alive_s(self) -> float:
        """Return the seconds since the last start."""
        return time.monotonic() - self._started

    def start(self) -> None:
        """Start the process. Raises OSError if the program cannot be run."""
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
                process_group=0,  # Ctrl-C in the terminal reaches only us, and we stop the parts in order
                # Only prctl and getppid run between fork and exec. The user is changed before, as a later change would
                # clear the parent-death signal (prctl(2)).
                preexec_fn=lambda: die_with_parent(parent, part.orphan_signal),  # noqa: PLW1509
                **credentials(part.account),
            )
        self._started = time.monotonic()

    def is_alive(self) -> bool:
        """Return whether it runs. If the leader has ended, kill the rest of its group."""
        if self._child is None or self._child.returncode is not None:
            return False
        # Check without reaping: until then, the ids of process and group cannot be reused.
        ended = os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return True
        self.send_to_group(signal.SIGKILL)
        self._child.wait()
        return False

    @property
    def exit_code(self) -> int | None:
        """Return the exit status of the last run, negative for a signal; None while it runs."""
        return self._child.returncode if self._child else None

    def run_to_end(self) -> int:
        """Start the process, wait, and return its exit status; an interruption kills it."""
        self.start()
        try:
            while self.is_alive():
                time.sleep(0.01)
        finally:
            self.kill()
        return self._child.returncode if self._child else 0

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the leader, if it runs."""
        if self.is_alive():
            os.kill(self.pid, number)

    def send_to_group(self, number: signal.Signals) -> None:
        """Send a signal to every process of the group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def stop(self) -> None:
        """Ask the process to finish and wait; kill it after the grace period. Nothing of its group is left."""
        self.send(self.part.stop_signal)
        deadline = time.monotonic() + self.part.grace_s
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.kill()

    def kill(self) -> None:
        """Kill the whole group, as a crash would."""
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
