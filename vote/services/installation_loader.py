"""Load this installation's id from PostgreSQL, at the start or as soon as it answers.

Until then the process takes no votes (`ballot_box.py`), caches nothing and counts rate limits by itself. The id never
changes.
"""

import threading

import structlog

from vote.db import installation as installations
from vote.db.pool import Database
from vote.domain.installation import Installation
from vote.errors import DatabaseUnavailable

RETRY_S = 0.4

logger = structlog.get_logger()


class InstallationLoader:
    """Load the id into the holder that the whole process shares."""

    def __init__(self, db: Database, installation: Installation) -> None:
        self._db, self._installation = db, installation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_trying, name="installation", daemon=True)

    def start(self) -> None:
        """Load the id; when the database is away, keep trying in a thread."""
        if not self._try_load():
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread, before the database is closed."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _try_load(self) -> bool:
        try:
            installations.learn(self._db, self._installation)
        except DatabaseUnavailable:
            return False  # /ready reports it
        except Exception:  # whatever it is: if the thread ended, the id would never be loaded
            logger.exception("loading the installation id failed")
            return False
        return True

    def _keep_trying(self) -> None:
        while not self._stop.wait(RETRY_S):
            if self._try_load():
                return
