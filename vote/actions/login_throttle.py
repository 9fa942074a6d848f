"""Throttle login attempts; count each one before verifying the password.

Per name and network, the fifth wrong password and each after it double the wait. All networks together get 100 a day for a
name. A known device, recognised by its cookie, has a count of its own on any network, so that its owner gets in while
someone else has used up the hundred. Unknown names are counted alike; the database holds keyed hashes only.

Sources: OWASP ASVS 5.0 V6.1.1, V6.3.1; NIST SP 800-63B §3.2.2.
"""

import hashlib
import hmac
from typing import NamedTuple

from vote.config import Settings
from vote.db import attempts, devices
from vote.db.pool import Database
from vote.domain.folding import NO_USERNAME, username_key
from vote.errors import TooManyGuesses
from vote.input_limits import GUESSES_A_DAY
from vote.metrics.logins import LOGIN_OUTCOMES, LOGINS
from vote.metrics.registry import start_at_zero

DAY_HOURS = 24
KEY_BYTES = 16
ACTOR = "login"


class LoginSource(NamedTuple):
    """The source of a login: its network, and its device's token (None: no device cookie of ours)."""

    network: str
    device: str | None


class LoginAttempt(NamedTuple):
    """An attempt at a name, and the counters that it counts against.

    `everywhere`: it also counts against the limit of all networks together. `by_device`: the source is a known device,
    not a network.
    """

    subject: bytes
    source: bytes
    everywhere: bool
    by_device: bool = False

    @property
    def sources(self) -> list[bytes]:
        """Return every source it is counted under."""
        return [self.source, attempts.EVERYWHERE] if self.everywhere else [self.source]


class LoginThrottle:
    """Counts attempts, with exponential backoff per source. `acquire` returns their number, so that the last one shows."""

    def __init__(self, db: Database, settings: Settings) -> None:
        start_at_zero(LOGINS, *LOGIN_OUTCOMES)
        self._db = db
        self._key = hmac.digest(settings.flask_secret_key.encode("utf-8"), b"attempts", "sha256")

    def at_login(self, username: str, origin: LoginSource) -> LoginAttempt:
        """Return the attempt that `origin` makes at a name.

        Everything that cannot be a username counts as one name, per network only: it opens nothing, so it has no hundred.
        """
        subject = self.name_subject(username)
        if username_key(username) == NO_USERNAME:
            return LoginAttempt(subject, self.subject("network", origin.network), everywhere=False)
        if origin.device is not None:
            token_hash = self.device_hash(origin.device, username)
            with self._db.read() as tx:
                if devices.is_known(tx, token_hash):
                    return LoginAttempt(
                        subject, self.subject("device", token_hash.hex()), everywhere=False, by_device=True
                    )
        return LoginAttempt(subject, self.subject("network", origin.network), everywhere=True)

    def at_own_password(self, username: str) -> LoginAttempt:
        """Return the attempt of a logged-in person who confirms with the password."""
        return LoginAttempt(self.name_subject(username), self.subject("asked again", ""), everywhere=False)

    def subject(self, kind: str, text: str) -> bytes:
        """Return a keyed hash to count under. `text` must already be folded (`domain/folding.py`)."""
        return hmac.digest(self._key, f"{kind}\0{text}".encode("utf-8", "surrogatepass"), "sha256")[:KEY_BYTES]

    def name_subject(self, username: str) -> bytes:
        """Return what attempts at a name count under: the same for every spelling that logs in."""
        return self.subject("name", username_key(username))

    def device_hash(self, token: str, username: str) -> bytes:
        """Return the hash under which a device is listed. It covers the account, so two accounts on one device cannot
        be linked.
        """
        return hashlib.sha256(f"{token}\0{username_key(username)}".encode("utf-8", "surrogatepass")).digest()

    def acquire(self, attempt: LoginAttempt) -> int:
        """Count an attempt. Returns its number among those of all networks (0: not counted there). Raises TooManyGuesses."""
        with self._db.read() as tx:
            wait_s, is_locked = attempts.wait_s(tx, attempt.subject, attempt.sources)
        if wait_s > 0:
            raise TooManyGuesses(wait_s, is_locked=is_locked)
        with self._db.transaction(by=ACTOR) as tx:
            if not attempts.count_slowly(tx, attempt.subject, attempt.source):
                raise TooManyGuesses(attempts.FIRST_WAIT_S)
            if not attempt.everywhere:
                return 0
            number = attempts.count_up_to(tx, attempt.subject, attempts.EVERYWHERE, most=GUESSES_A_DAY, hours=DAY_HOURS)
            if number is None:
                raise TooManyGuesses(attempts.FIRST_WAIT_S, is_locked=True)
            return number

    def refund(self, attempt: LoginAttempt) -> None:
        """Refund an attempt whose password was not verified after all."""
        with self._db.transaction(by=ACTOR) as tx:
            for source in attempt.sources:
                attempts.refund(tx, attempt.subject, source)

    def reset(self, attempt: LoginAttempt) -> None:
        """Refund an attempt that was right, and reset its own source; other sources' attempts stay counted."""
        with self._db.transaction(by=ACTOR) as tx:
            attempts.forget(tx, attempt.subject, attempt.source)
            if attempt.everywhere:
                attempts.refund(tx, attempt.subject, attempts.EVERYWHERE)
