"""The worker's loop: prepare, then step and wait until asked to stop. Failures are logged and tried again."""

import signal
import threading
from types import FrameType

import structlog

from vote import logs
from vote.ballotlog.heartbeats import Heartbeats
from vote.config import Settings
from vote.db.statement_log import STATEMENTS
from vote.domain.installation import Installation
from vote.errors import DatabaseUnavailable, ForeignLog, Unavailable
from vote.health_server import HealthServer
from vote.metrics.exposition import MetricsPage
from vote.metrics.process import ProcessCollector
from vote.production_rules import SIGNING_SECRETS
from vote.secret_ages import SecretAgeCollector
from vote.secret_watch import SecretWatch
from vote.worker.liveness import Liveness
from vote.worker.mailer import Mailer
from vote.worker.watchdog import Watchdog
from vote.worker.worker import Worker

RETRY_S = 0.2  # after a store did not answer
FOREIGN_RETRY_S = 2.0  # the log belongs to another installation: only a person can change that

logger = structlog.get_logger()


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; the current batch is finished. Raises ConfigError when the settings do not fit."""
    logs.configure("worker")
    STATEMENTS.configure(settings)
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    installation = Installation()
    watchdog, heartbeats = Watchdog(), Heartbeats(settings.log_url, installation)
    page = MetricsPage(
        ProcessCollector("worker", commit=settings.vote_commit),
        SecretAgeCollector(settings, without=SIGNING_SECRETS),  # the web's; a worker has some that open nothing
    )
    health = HealthServer(settings.host, settings.metrics_port, metrics=page.text, networks=settings.metrics_networks)
    pulse = Liveness(watchdog, heartbeats, health)
    worker = Worker.from_settings(settings, installation=installation, progressed=pulse.progressed)
    mailer, secret_watch = Mailer(settings), SecretWatch(settings)
    logger.info("started", settings=settings.names_given)
    watchdog.start()
    mailer.start()
    secret_watch.start()
    try:
        _work(worker, pulse, stop)
    finally:
        watchdog.close()
        health.close()
        secret_watch.close()
        worker.close()
        mailer.close()
        heartbeats.close()
        logger.info("stopped")


def _work(worker: Worker, pulse: Liveness, stop: threading.Event) -> None:
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
            prepared = prepared and isinstance(error, DatabaseUnavailable)
            logger.warning("waiting", reason=str(error))
            stop.wait(FOREIGN_RETRY_S if isinstance(error, ForeignLog) else RETRY_S)
