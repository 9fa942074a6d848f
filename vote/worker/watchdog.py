"""Ends a worker whose loop has stalled, so that its supervisor (`vote up`, systemd, Kubernetes) restarts it.

Every wait for a store has a deadline, and a failed turn counts as a turn. The watchdog is for the unexpected: a lock
that is never released, a name server that never answers, a pipe of log lines that nobody reads.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable

import structlog

TURN_WITHIN_S = 30.0
LOOK_EVERY_S = 0.5
LINE_WITHIN_S = 1.0  # for the last log line: whatever blocks the loop may block logging too
EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h

logger = structlog.get_logger()


def end_process() -> None:
    """End this process at once, without cleanup: cleanup could stall as well."""
    os._exit(EXIT_CODE)


class Watchdog:
    """Watchdog timer. It counts its own checks since the last `beat` instead of time: a frozen machine freezes both."""

    def __init__(self, end: Callable[[], None] = end_process) -> None:
        self._end = end
        self._has_beaten = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._watched = threading.get_ident()

    def start(self) -> None:
        """Begin to watch the thread that created this."""
        self._thread.start()

    def beat(self) -> None:
        """Report that the loop is running."""
        self._has_beaten.set()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()

    def _watch(self) -> None:
        quiet_s = 0.0
        while not self._stop.wait(LOOK_EVERY_S):
            quiet_s = 0.0 if self._has_beaten.is_set() else quiet_s + LOOK_EVERY_S
            self._has_beaten.clear()
            if quiet_s >= TURN_WITHIN_S:
                self._give_up(quiet_s)
                return

    def _give_up(self, quiet_s: float) -> None:
        frame = sys._current_frames().get(self._watched)
        stack = "".join(traceback.format_stack(frame)[-2:]).strip() if frame else "gone"

        def log_stall() -> None:
            logger.critical("loop stalled", seconds=quiet_s, at=stack, what="this worker ends, to be restarted")

        last_line = threading.Thread(target=log_stall, daemon=True)
        last_line.start()
        last_line.join(LINE_WITHIN_S)
        self._end()
