"""Reports that the loop is running: to this process's watchdog at once, to other processes once a second through the
log.
"""

import time

from vote.ballotlog.heartbeats import Heartbeats
from vote.health_server import HealthServer
from vote.worker.watchdog import Watchdog

SHOWN_EVERY_S = 1.0


class Liveness:
    """The heartbeat of one worker."""

    def __init__(self, watchdog: Watchdog, heartbeats: Heartbeats, health: HealthServer) -> None:
        self._watchdog, self._heartbeats, self._health = watchdog, heartbeats, health
        self._next = 0.0

    def progressed(self) -> None:
        """Note that work with log and database succeeded."""
        self._watchdog.beat()
        self._health.turned()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SHOWN_EVERY_S
            self._heartbeats.worker_has_turned()

    def failed(self) -> None:
        """Note that a turn failed: the loop is running, but others must not hear a heartbeat."""
        self._watchdog.beat()
        self._health.turned()
