"""What is dead before its time: tokens, sessions, everything of a person. Kept in memory, so that a vote asks nobody.

Each process reads the news from PostgreSQL every REFRESH_S, so a log-out counts everywhere within a second. While the
database is away the list stays as it was; before it was read once, nobody is let in.
"""

import threading
import time

import structlog

from vote.db import users
from vote.db.pool import Database
from vote.errors import DatabaseUnavailable, NotLoggedIn, Unavailable

REFRESH_S = 0.4
OVERLAP_IDS = 200  # ids become visible out of order when transactions overlap: read a little of the past again
KEEP_S = 25 * 3600  # a bit longer than any token or session lives

lines = structlog.get_logger()


class Revoked:
    """The list of one process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._since: dict[str, float] = {}
        self._last_id = 0
        self._loaded = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="revoked", daemon=True)

    def start(self) -> None:
        """Read what there is, and go on reading in a thread."""
        self._try_refresh()
        self._thread.start()

    def stop(self) -> None:
        """End the thread, before the database it reads is closed."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_loaded(self) -> bool:
        """Whether the list was read at least once."""
        return self._loaded

    def add(self, subject: str, *, since: float | None = None) -> None:
        """Know it here at once, without waiting for the next reading; of what began before `since`, or before now."""
        self._since[subject] = max(self._since.get(subject, 0.0), time.time() if since is None else since)

    def check(self, subject: str, *, user_id: int, began: float) -> None:
        """Raises NotLoggedIn when this token or session, or everything of the person before now, is dead."""
        if not self._loaded:
            raise Unavailable("It is not known yet who is logged in. Try again in a moment.")
        everything = self._since.get(f"user:{user_id}")
        if subject in self._since or (everything is not None and began <= everything):
            raise NotLoggedIn("This login has ended. Log in again.")

    def ended_at(self, user_id: int) -> float:
        """When everything of this person was ended last, in seconds since 1970; 0 when never."""
        return self._since.get(f"user:{user_id}", 0.0)

    def refresh(self) -> None:
        """Read the news. Raises DatabaseUnavailable."""
        with self._db.read() as tx:
            news = users.revocations_after(tx, max(0, self._last_id - OVERLAP_IDS))
        for revocation in news:
            self._last_id = max(self._last_id, revocation.id)
            known = self._since.get(revocation.subject, 0.0)
            self._since[revocation.subject] = max(known, revocation.revoked_at.timestamp())
        self._loaded = True

    def _try_refresh(self) -> None:
        try:
            self.refresh()
        except DatabaseUnavailable:
            return  # the list stays as it was; /ready and the metrics tell of the database
        except Exception:  # noqa: BLE001  # whatever it is: a thread that has ended hears of no log-out any more
            lines.exception("log-outs could not be read")

    def _follow(self) -> None:
        while not self._stop.wait(REFRESH_S):
            self._try_refresh()
            self._forget(time.time() - KEEP_S)

    def _forget(self, before: float) -> None:
        """Let go of what no token or session can be older than. Others add meanwhile, so a copy is walked through."""
        for subject in [subject for subject, since in list(self._since.items()) if since < before]:
            del self._since[subject]
