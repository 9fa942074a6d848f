"""Shows that the loop goes on: to the watchdog of this process at once, and in the log, once a second, to all others."""

import time

from vote.ballotlog.heartbeats import Heartbeats
from vote.worker.watchdog import Watchdog

SHOWN_EVERY_S = 1.0


class Liveness:
    """The pulse of one worker."""

    def __init__(self, watchdog: Watchdog, heartbeats: Heartbeats) -> None:
        self._watchdog, self._heartbeats = watchdog, heartbeats
        self._next = 0.0

    def progressed(self) -> None:
        """Note that something was done with log and database."""
        self._watchdog.beat()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SHOWN_EVERY_S
            self._heartbeats.worker_has_turned()

    def failed(self) -> None:
        """Note that a turn failed: the loop goes on, and others should know nothing of it."""
        self._watchdog.beat()
