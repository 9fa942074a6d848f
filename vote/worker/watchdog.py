"""Ends a worker whose loop stands still, so that whoever runs it (`vote up`, systemd, Kubernetes) starts it again.

Every wait for a store has a deadline, and a turn that fails is a turn. This is for what nobody expected: a lock that is
never released, a name server that never answers, a pipe of log lines that nobody empties.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable

import structlog

TURN_WITHIN_S = 30.0
LOOK_EVERY_S = 0.5
LINE_WITHIN_S = 1.0  # for the last line: what holds the loop may hold the lines too
EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h

logger = structlog.get_logger()


def end_process() -> None:
    """End this process at once. Nothing is cleaned up: cleaning up is what could stand still as well."""
    os._exit(EXIT_CODE)


class Watchdog:
    """Counts its own looks since the last `beat`, and not the time: a machine that was frozen freezes both."""

    def __init__(self, end: Callable[[], None] = end_process) -> None:
        self._end = end
        self._has_beaten = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._watched = threading.get_ident()

    def start(self) -> None:
        """Begin to watch the thread that made this."""
        self._thread.start()

    def beat(self) -> None:
        """Say that the loop goes on."""
        self._has_beaten.set()

    def close(self) -> None:
        """Watch no more."""
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
        at = "".join(traceback.format_stack(frame)[-2:]).strip() if frame else "gone"

        def say() -> None:
            logger.critical("stands still", seconds=quiet_s, at=at, what="this worker ends, to be started again")

        last_line = threading.Thread(target=say, daemon=True)
        last_line.start()
        last_line.join(LINE_WITHIN_S)
        self._end()
