"""What is dead before its time: tokens, sessions, everything of a person. Kept in memory, so that a vote asks nobody.

Each process reads the news from PostgreSQL every REFRESH_S, over a connection and with deadlines of its own, so a log-out
counts everywhere within a second, and within three where that connection has gone dead without a word.

A list that was not read for STALE_AFTER_S may lack what others know. Whether it does, the log tells: every process that
reaches PostgreSQL leaves a sign there (`ballotlog/heartbeats.py`). Where nobody reaches it, nobody can have ended anything,
and voting goes on. Where others reach it, this process alone is cut off: it lets in only whoever logged in after its last
reading, or nobody (STALE_LOGINS), and before it has read the list once, nobody.
"""

import threading
import time
from collections.abc import Callable
from typing import Literal

import structlog

from vote.ballotlog.heartbeats import Heartbeats
from vote.db import clock as database_clock
from vote.db import users
from vote.db.dedicated_connection import DedicatedConnection
from vote.db.pool import Tx
from vote.db.users import Revocation
from vote.errors import DatabaseUnavailable, LogUnavailable, NotLoggedIn, Unavailable

REFRESH_S = 0.4
STALE_AFTER_S = 5.0
JUST_READ_S = 0.8  # a reading so young is worth a sign for others
LOOK_AFTER_S = 1.0  # without a reading, then it is looked whether others reach PostgreSQL
OUTAGE_KNOWN_S = 2.0  # how long it counts that nobody did: longer than from one look to the next
SIGN_EVERY_S = 1.0
OVERLAP_IDS = 200  # ids become visible out of order when transactions overlap: read a little of the past again
KEEP_S = 25 * 3600  # a bit longer than any token or session lives
NEVER = float("-inf")
NOT_KNOWN = "It is not known at the moment who has logged out. Try again in a moment."

logger = structlog.get_logger()


class RevocationList:
    """The list of one process."""

    def __init__(
        self,
        connection: DedicatedConnection,
        heartbeats: Heartbeats,
        *,
        stale_logins: Literal["newer", "none"] = "newer",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection, self._heartbeats = connection, heartbeats
        self._stale_logins, self._clock = stale_logins, clock
        self._since: dict[str, float] = {}
        self._last: Revocation | None = None
        self._read_at = NEVER  # when the newest reading began, by `clock`
        self._trusts_from = 0.0  # the same, by PostgreSQL's clock, as the beginnings of logins are
        self._outage_at = NEVER  # when nobody had reached PostgreSQL
        self._sign_at = NEVER
        self._lock = threading.Lock()  # of the connection and what is read
        self._stop = threading.Event()
        self._threads = [  # a try to read may take seconds, in which others must be looked for
            threading.Thread(target=follow, name=f"revoked {follow.__name__.strip('_')}", daemon=True)
            for follow in (self._read_on, self._look_on)
        ]

    def start(self) -> None:
        """Read what there is, and go on reading in threads."""
        self._try_refresh()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads and disconnect."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._connection.close()

    @property
    def is_loaded(self) -> bool:
        """Whether the list was read at least once."""
        return self._read_at != NEVER

    @property
    def age_s(self) -> float:
        """Seconds since the list was read; infinite when it never was."""
        return self._clock() - self._read_at

    @property
    def is_cut_off(self) -> bool:
        """Whether the list is stale, and not because PostgreSQL is away for everybody."""
        now = self._clock()
        return self.is_loaded and now - self._read_at > STALE_AFTER_S and now - self._outage_at > OUTAGE_KNOWN_S

    def add(self, subject: str, *, since: float | None = None) -> None:
        """Know it here at once, without waiting for the next reading; of what began before `since`, or before now."""
        self._since[subject] = max(self._since.get(subject, 0.0), time.time() if since is None else since)

    def check(self, subject: str, *, user_id: int, began: float) -> None:
        """Refuse a token or session that is dead, or everything of whose person is (NotLoggedIn).

        Raises Unavailable for one of which it is not known.
        """
        everything = self._since.get(f"user:{user_id}")
        if subject in self._since or (everything is not None and began <= everything):
            raise NotLoggedIn("This login has ended. Log in again.")
        if self._clock() - self._read_at > STALE_AFTER_S and not self._lets_in(began):
            raise Unavailable(NOT_KNOWN)

    def ended_at(self, user_id: int) -> float:
        """When everything of this person was ended last, in seconds since 1970; 0 when never."""
        return self._since.get(f"user:{user_id}", 0.0)

    def refresh(self) -> None:
        """Read the news. Raises DatabaseUnavailable."""
        with self._lock:
            began = self._clock()
            began_at, news = self._connection.ask(self._news)
            for revocation in news:
                known = self._since.get(revocation.subject, 0.0)
                self._since[revocation.subject] = max(known, revocation.revoked_at.timestamp())
            self._last = max(news, key=lambda one: one.id, default=None)
            self._read_at, self._trusts_from = began, began_at

    def _news(self, tx: Tx) -> tuple[float, list[Revocation]]:
        """Return the time before the reading, and what was revoked since the last one and a little before it.

        Everything, when the last one known is gone. Then it has had its time, or this is a database that lacks the newest
        rows: a promoted standby, a restored backup. It gives their ids again, and whoever only read on from the last one
        would hear of nothing until it has passed it.
        """
        now, last = database_clock.now(tx), self._last
        if last is not None:
            news = users.revocations_after(tx, max(0, last.id - OVERLAP_IDS))
            if last in news:
                return now, news
        return now, users.revocations_after(tx, 0)

    def _lets_in(self, began: float) -> bool:
        """Whether a login may be trusted that began then, although the list is stale."""
        if not self.is_cut_off:
            return self.is_loaded
        return self._stale_logins == "newer" and began > self._trusts_from

    def _try_refresh(self) -> None:
        try:
            self.refresh()
        except DatabaseUnavailable:
            return  # the list stays as it was; /ready and the metrics tell of the database
        except Exception:  # whatever it is: a thread that has ended hears of no log-out any more
            logger.exception("log-outs could not be read")

    def _read_on(self) -> None:
        while not self._stop.wait(REFRESH_S):
            self._try_refresh()
            self._forget(time.time() - KEEP_S)

    def _look_on(self) -> None:
        """Leave a sign while the list is read; while it is not, note when nobody else reaches PostgreSQL either.

        Says so when that changes who is let in.
        """
        was_cut_off = False
        while not self._stop.wait(REFRESH_S):
            self._leave_sign_or_look()
            if self.is_cut_off != was_cut_off:
                was_cut_off = not was_cut_off
                tell = logger.error if was_cut_off else logger.info
                tell("log-outs", heard=not was_cut_off, age_s=round(self.age_s, 1))

    def _leave_sign_or_look(self) -> None:
        age_s, now = self.age_s, self._clock()
        try:
            if age_s < JUST_READ_S and now - self._sign_at >= SIGN_EVERY_S:
                self._sign_at = now
                self._heartbeats.database_was_reached()
            elif age_s > LOOK_AFTER_S and not self._heartbeats.is_database_reached():
                self._outage_at = self._clock()
        except LogUnavailable:
            return  # it is not known, and then nobody is let in for long
        except Exception:  # as above
            logger.exception("whether others reach PostgreSQL could not be seen")

    def _forget(self, before: float) -> None:
        """Let go of what no token or session can be older than. Others add meanwhile, so a copy is walked through."""
        for subject in [subject for subject, since in list(self._since.items()) if since < before]:
            del self._since[subject]
