"""Revoked tokens, sessions and accounts, kept in memory so that a vote asks no database.

Each process reads new revocations from PostgreSQL every REFRESH_S, over a connection with its own deadlines. A logout takes
effect everywhere within a second, and within three seconds where that connection has silently died.

A list older than STALE_AFTER_S may miss revocations. The ballot log shows whether it does: every process that reaches
PostgreSQL leaves a heartbeat there (`ballotlog/heartbeats.py`). If no process reaches PostgreSQL, nothing can have been
revoked, and voting continues. If others reach it, only this process is cut off: it accepts logins that began after its last
read, or none (LOGINS_WHEN_CUT_OFF); before its first read it accepts none.
"""

import threading
import time
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
JUST_READ_S = 0.8  # the list is fresh enough to leave a heartbeat
LOOK_AFTER_S = 1.0  # without a read for so long, check whether others reach PostgreSQL
OUTAGE_KNOWN_S = 2.0  # how long "nobody reaches it" holds: longer than the time between two checks
HEARTBEAT_EVERY_S = 1.0
OVERLAP_IDS = 200  # ids become visible out of order when transactions overlap: read a little of the past again
KEEP_S = 25 * 3600  # slightly longer than any token or session lives
NEVER = float("-inf")
NOT_KNOWN = "We can't check your login right now. Try again in a moment."

logger = structlog.get_logger()


class RevocationList:
    """The revocation list of one process, refreshed by background threads."""

    def __init__(
        self,
        connection: DedicatedConnection,
        heartbeats: Heartbeats,
        *,
        stale_logins: Literal["newer", "none"] = "newer",
    ) -> None:
        self._connection, self._heartbeats = connection, heartbeats
        self._stale_logins = stale_logins
        self._since: dict[str, float] = {}
        self._last: Revocation | None = None
        self._read_at = NEVER  # when the latest read began, by `time.monotonic`
        self._trusts_from = 0.0  # the same by PostgreSQL's clock, which also dates logins
        self._outage_at = NEVER  # when we last saw that no process reaches PostgreSQL
        self._heartbeat_at = NEVER
        self._lock = threading.Lock()  # guards the connection and the list
        self._stop = threading.Event()
        self._threads = [  # a try to read may take seconds, in which others must be looked for
            threading.Thread(target=follow, name=f"revoked {follow.__name__.strip('_')}", daemon=True)
            for follow in (self._keep_refreshing, self._watch_outages)
        ]

    def start(self) -> None:
        """Read the list, then start the threads that keep it fresh. Does not raise when PostgreSQL is away."""
        self._try_refresh()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the threads and disconnect."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._connection.close()

    @property
    def is_loaded(self) -> bool:
        """Return whether the list was read at least once."""
        return self._read_at != NEVER

    @property
    def age_s(self) -> float:
        """Return the seconds since the list was read; infinite when it never was."""
        return time.monotonic() - self._read_at

    @property
    def is_cut_off(self) -> bool:
        """Return whether the list is stale although other processes reach PostgreSQL."""
        now = time.monotonic()
        return self.is_loaded and now - self._read_at > STALE_AFTER_S and now - self._outage_at > OUTAGE_KNOWN_S

    def add(self, subject: str, *, since: float | None = None) -> None:
        """Revoke `subject` in this process at once: logins that began before `since` (default: now, seconds since 1970)."""
        self._since[subject] = max(self._since.get(subject, 0.0), time.time() if since is None else since)

    def check(self, subject: str, *, user_id: int, began: float) -> None:
        """Raise NotLoggedIn when the login or everything of its account is revoked; Unavailable when that is not known.

        `began` is when the login began, in seconds since 1970 by PostgreSQL's clock.
        """
        account_revoked = self._since.get(f"user:{user_id}")
        if subject in self._since or (account_revoked is not None and began <= account_revoked):
            raise NotLoggedIn("This session has ended. Log in again.")
        if time.monotonic() - self._read_at > STALE_AFTER_S and not self._is_trusted(began):
            raise Unavailable(NOT_KNOWN)

    def ended_at(self, user_id: int) -> float:
        """Return when all logins of this account were last ended, in seconds since 1970; 0 when never."""
        return self._since.get(f"user:{user_id}", 0.0)

    def refresh(self) -> None:
        """Read new revocations. Raises DatabaseUnavailable."""
        with self._lock:
            began = time.monotonic()
            database_now, rows = self._connection.ask(self._read_new)
            for revocation in rows:
                known = self._since.get(revocation.subject, 0.0)
                self._since[revocation.subject] = max(known, revocation.revoked_at.timestamp())
            self._last = max(rows, key=lambda row: row.id, default=None)
            self._read_at, self._trusts_from = began, database_now

    def _read_new(self, tx: Tx) -> tuple[float, list[Revocation]]:
        """Return PostgreSQL's time before the read, and the revocations since the last read with a small overlap.

        If the last known revocation is gone, return all of them. Either it has expired, or this database lacks the newest
        rows (a promoted standby, a restored backup) and assigns their ids again: reading on from the last id would miss
        revocations.
        """
        now, last = database_clock.now(tx), self._last
        if last is not None:
            rows = users.revocations_after(tx, max(0, last.id - OVERLAP_IDS))
            if last in rows:
                return now, rows
        return now, users.revocations_after(tx, 0)

    def _is_trusted(self, began: float) -> bool:
        """Return whether to trust a login that began at `began` although the list is stale."""
        if not self.is_cut_off:
            return self.is_loaded
        return self._stale_logins == "newer" and began > self._trusts_from

    def _try_refresh(self) -> None:
        try:
            self.refresh()
        except DatabaseUnavailable:
            return  # the list stays as it is; /ready and the metrics report the database
        except Exception:  # whatever it is: if this thread ended, the process would learn of no more logouts
            logger.exception("reading revocations failed")

    def _keep_refreshing(self) -> None:
        while not self._stop.wait(REFRESH_S):
            self._try_refresh()
            self._evict(time.time() - KEEP_S)

    def _watch_outages(self) -> None:
        """Leave heartbeats while the list is fresh; while it is not, note when no other process reaches PostgreSQL either.

        Log each change of whether this process is cut off.
        """
        was_cut_off = False
        while not self._stop.wait(REFRESH_S):
            self._exchange_heartbeat()
            if self.is_cut_off != was_cut_off:
                was_cut_off = not was_cut_off
                log = logger.error if was_cut_off else logger.info
                log("cut off from revocations" if was_cut_off else "revocations read again", age_s=round(self.age_s, 1))

    def _exchange_heartbeat(self) -> None:
        age_s, now = self.age_s, time.monotonic()
        try:
            if age_s < JUST_READ_S and now - self._heartbeat_at >= HEARTBEAT_EVERY_S:
                self._heartbeat_at = now
                self._heartbeats.database_was_reached()
            elif age_s > LOOK_AFTER_S and not self._heartbeats.is_database_reached():
                self._outage_at = time.monotonic()
        except LogUnavailable:
            return  # not known; without a sign of an outage the list soon counts as cut off
        except Exception:  # as above
            logger.exception("exchanging heartbeats failed")

    def _evict(self, before: float) -> None:
        """Drop revocations older than any token or session. Iterates over a copy, as other threads add entries meanwhile."""
        for subject in [subject for subject, since in list(self._since.items()) if since < before]:
            del self._since[subject]
