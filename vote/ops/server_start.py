"""Start a part and wait until it is ready, or report why it is not."""

import time
from pathlib import Path

from vote.errors import ConfigError
from vote.ops.process import Process

RETRY_S = 10  # after a crash, shared memory or a process id may stay in use for a moment
READY_S = 600  # loading a long log or crash recovery takes minutes
LOG_LINES = 10


def start_ready(process: Process) -> None:
    """Start a part and return when it is ready. Raises ConfigError with the end of its log when it does not become ready."""
    process.start()
    began = time.monotonic()
    while not process.part.is_ready():
        waited_s = time.monotonic() - began
        if not process.is_alive():
            if waited_s > RETRY_S:
                raise ConfigError(f"{process.part.name} does not start.{_log_tail(process.part.log)}")
            time.sleep(0.2)
            process.start()
        elif waited_s > READY_S:
            raise ConfigError(f"{process.part.name} does not answer.{_log_tail(process.part.log)}")
        time.sleep(0.01)


def _log_tail(log: Path | None) -> str:
    if log is None:
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    return f" Its log {log} ends with:\n" + "\n".join(f"  {line}" for line in lines)
