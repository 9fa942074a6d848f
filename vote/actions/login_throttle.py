"""What a guess costs, before it is looked at whether it is right (OWASP ASVS 5.0 V6.1.1, V6.3.1; NIST SP 800-63B §3.2.2).

Per name and network the fifth wrong password and each after it double the wait. All networks together get 100 a day for a
name. A known device, by its cookie, has a count of its own on whatever network, so that its owner gets in while somebody
else has used up the hundred. Names nobody has are counted alike, and in the database all are keyed hashes.
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

DAY_HOURS = 24
KEY_BYTES = 16
ACTOR = "login"


class LoginSource(NamedTuple):
    """Where a login comes from: its network, and the token of its device when it has one (None: no cookie of ours)."""

    network: str
    device: str | None


class LoginAttempt(NamedTuple):
    """One attempt at a name: what it is counted under. `everywhere`: also among those of all networks; `by_device`: the
    source is a known device and no network.
    """

    subject: bytes
    source: bytes
    everywhere: bool
    by_device: bool = False

    @property
    def sources(self) -> list[bytes]:
        """All rows it is counted in."""
        return [self.source, attempts.EVERYWHERE] if self.everywhere else [self.source]


class LoginThrottle:
    """Counts guesses. `number` of the last one allowed is told, so that somebody can be told that it was the last."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._key = hmac.digest(settings.flask_secret_key.encode("utf-8"), b"attempts", "sha256")

    def at_login(self, username: str, origin: LoginSource) -> LoginAttempt:
        """The guess that somebody at `origin` makes about a name.

        All that cannot be a user name counts as one name, per network alone: it opens nothing, so there is no hundred of it.
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
        """The guess of who is logged in already and is asked for the password once more."""
        return LoginAttempt(self.name_subject(username), self.subject("asked again", ""), everywhere=False)

    def subject(self, kind: str, what: str) -> bytes:
        """What is counted, without saying what it is. `what` is folded before (`domain/folding.py`)."""
        return hmac.digest(self._key, f"{kind}\0{what}".encode("utf-8", "surrogatepass"), "sha256")[:KEY_BYTES]

    def name_subject(self, username: str) -> bytes:
        """What guesses at a name are counted under: every way to write it is the same, as it is at the log-in."""
        return self.subject("name", username_key(username))

    def device_hash(self, token: str, username: str) -> bytes:
        """How a device is listed: bound to the account, so that two accounts on one device cannot be told to share it.

        Without a key, for the token cannot be guessed: a device stays known when keys change.
        """
        return hashlib.sha256(f"{token}\0{username_key(username)}".encode("utf-8", "surrogatepass")).digest()

    def acquire(self, attempt: LoginAttempt) -> int:
        """Count a guess; its number among those of all networks (0: not counted there). Raises TooManyGuesses."""
        with self._db.read() as tx:
            wait_s = attempts.wait_s(tx, attempt.subject, attempt.sources)
        if wait_s > 0:
            raise TooManyGuesses(wait_s)
        with self._db.transaction(by=ACTOR) as tx:
            if not attempts.count_slowly(tx, attempt.subject, attempt.source):
                raise TooManyGuesses(attempts.FIRST_WAIT_S)
            if not attempt.everywhere:
                return 0
            number = attempts.count_upto(tx, attempt.subject, attempts.EVERYWHERE, most=GUESSES_A_DAY, hours=DAY_HOURS)
            if number is None:
                raise TooManyGuesses(attempts.FIRST_WAIT_S)
            return number

    def refund(self, attempt: LoginAttempt) -> None:
        """Take back a guess that was not looked at after all."""
        with self._db.transaction(by=ACTOR) as tx:
            for source in attempt.sources:
                attempts.refund(tx, attempt.subject, source)

    def reset(self, attempt: LoginAttempt) -> None:
        """Take back a guess that was right; its own source begins anew, what others tried stays counted."""
        with self._db.transaction(by=ACTOR) as tx:
            attempts.forget(tx, attempt.subject, attempt.source)
            if attempt.everywhere:
                attempts.refund(tx, attempt.subject, attempts.EVERYWHERE)
