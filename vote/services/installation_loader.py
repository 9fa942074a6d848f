"""Which installation this process works for, read from PostgreSQL as soon as it answers: at the start, or later.

Until then the process takes no votes (`box.py`), keeps no copies and counts its limits alone. It never changes afterwards.
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
    """Reads the id into the holder that all parts of the process share."""

    def __init__(self, db: Database, installation: Installation) -> None:
        self._db, self._installation = db, installation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="installation", daemon=True)

    def start(self) -> None:
        """Read it; when the database is away, go on trying in a thread."""
        if not self._has_read():
            self._thread.start()

    def stop(self) -> None:
        """End the thread, before the database it reads is closed."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _has_read(self) -> bool:
        try:
            installations.learn(self._db, self._installation)
        except DatabaseUnavailable:
            return False  # /ready tells of it
        except Exception:  # whatever it is: a thread that has ended never learns it
            logger.exception("the id of the installation could not be read")
            return False
        return True

    def _follow(self) -> None:
        while not self._stop.wait(RETRY_S):
            if self._has_read():
                return
