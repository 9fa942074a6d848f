"""A hasher that counts and takes no time, for tests of what happens around it. Passwords are right by name."""

import threading

from vote.auth import PasswordHasher, PasswordMatch
from vote.errors import HasherBusy

RIGHT = "the right password"


class CountingHasher(PasswordHasher):
    """Verifies RIGHT for whoever exists; `verified` says how many it looked at."""

    def __init__(self) -> None:
        super().__init__(1)
        self.verified = 0
        self.is_busy = False
        self._lock = threading.Lock()

    def verify(self, password: str, stored: str | None) -> PasswordMatch:
        if self.is_busy:
            raise HasherBusy
        with self._lock:
            self.verified += 1
        return PasswordMatch(password == RIGHT and stored is not None)

    def hash(self, password: str) -> str:  # noqa: ARG002  # no work is the point
        if self.is_busy:
            raise HasherBusy
        return "pbkdf2:sha256:600000$tests$" + "11" * 32
