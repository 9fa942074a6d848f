"""End servers that outlived the supervisor that started them.

A server is identified by its working folder and its program, never by name alone: other homes' servers are not ours.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from vote.errors import ConfigError

SERVER_PROGRAMS = frozenset(
    {"postgres", "valkey-server", "redis-server", "redis-check-rdb"}
)  # on Debian, the last two are links to the same program
DEADLINE_S = 10


def servers_in(data: Path) -> list[int]:
    """Return the process ids of servers working in `data`; both servers make their data folder the working folder."""
    folder = os.path.realpath(data)
    return [pid for pid in _process_ids() if _works_in(pid, folder)]


def end_servers_in(data: Path) -> None:
    """Kill every server that works in `data` and wait until it is gone. Call it only while holding the room's lock.

    Raises ConfigError when one does not end: two servers on the same data would destroy it.
    """
    deadline = time.monotonic() + DEADLINE_S
    while pids := servers_in(data):
        if time.monotonic() > deadline:
            raise ConfigError(
                f"A server from an earlier start does not end (process {pids[0]}, working in {data})."
                " End it, then start again."
            )
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def can_look() -> bool:
    """Return whether this system shows processes under /proc; elsewhere the servers detect leftovers themselves."""
    return Path("/proc/self/exe").exists()


def _process_ids() -> Iterator[int]:
    if can_look():
        yield from (int(name) for name in os.listdir("/proc") if name.isdigit())


def _works_in(pid: int, folder: str) -> bool:
    # A zombie has neither link; it is dead and waits for its parent.
    try:
        program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        return os.path.basename(program) in SERVER_PROGRAMS and os.readlink(f"/proc/{pid}/cwd") == folder
    except OSError:
        return False
