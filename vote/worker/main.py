"""The worker's loop: prepare, then step and wait until told to stop. What goes wrong is told and tried again."""

import signal
import threading
from types import FrameType

import structlog

from vote import logs
from vote.ballotlog.heartbeats import Heartbeats
from vote.config import Settings
from vote.errors import DatabaseUnavailable, Unavailable
from vote.worker.postman import Postman
from vote.worker.pulse import Pulse
from vote.worker.watchdog import Watchdog
from vote.worker.worker import Worker

RETRY_S = 0.2  # after a store did not answer

lines = structlog.get_logger()


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; the batch under way is finished. Raises ConfigError when the settings do not fit."""
    logs.configure("worker")
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    watchdog, heartbeats = Watchdog(), Heartbeats(settings.log_url)
    pulse = Pulse(watchdog, heartbeats)
    worker, postman = Worker.of(settings, progressed=pulse.progressed), Postman(settings)
    lines.info("started", shards=settings.vote_shards)
    watchdog.start()
    postman.start()
    try:
        _work(worker, pulse, stop)
    finally:
        watchdog.close()
        worker.close()
        postman.close()
        heartbeats.close()
        lines.info("stopped")


def _work(worker: Worker, pulse: Pulse, stop: threading.Event) -> None:
    prepared = False
    while not stop.is_set():
        try:
            if not prepared:
                worker.prepare()
                prepared = True
            worker.step()
            pulse.progressed()
            worker.wait()
        except Unavailable as error:
            # The log may have come back without its functions; loading them again costs nothing.
            pulse.failed()
            prepared = isinstance(error, DatabaseUnavailable)
            lines.warning("waiting", reason=error.detail)
            stop.wait(RETRY_S)
