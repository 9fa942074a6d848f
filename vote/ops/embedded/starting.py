"""Waits until a server that was started answers, or says why it does not."""

import time
from collections.abc import Callable
from pathlib import Path

from vote.errors import ConfigError
from vote.ops.process import Process

RETRY_S = 10  # after a crash shared memory or a process id may be held for a moment
READY_S = 600  # a long log is read, or a crash recovered from, in minutes
LOG_LINES = 10


def start_server(process: Process, is_ready: Callable[[], bool]) -> None:
    """Start a server and return when it answers. Raises ConfigError with the end of its log when it does not."""
    process.start()
    began = time.monotonic()
    while not is_ready():
        waited_s = time.monotonic() - began
        if not process.is_alive():
            if waited_s > RETRY_S:
                raise ConfigError(f"{process.part.name} does not start. Its log ends:\n{_end_of(process.part.log)}")
            time.sleep(0.2)
            process.start()
        elif waited_s > READY_S:
            raise ConfigError(f"{process.part.name} does not answer. Its log ends:\n{_end_of(process.part.log)}")
        time.sleep(0.01)


def _end_of(log: Path | None) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log else []
    return "\n".join(f"  {line}" for line in lines[-LOG_LINES:])
