"""The thread that reads log-outs, whatever happens to it. What it reads is tested with the database."""

from typing import Any

from tests.stack import wait_until
from vote.identity.revocations import RevocationList


class _Surprising:
    """A connection that fails twice as nobody expected, and a log where signs can be left."""

    asked = 0

    def ask(self, _question: object) -> tuple[float, list[object]]:
        self.asked += 1
        if self.asked <= 2:
            raise ValueError("nobody expected this")
        return 0.0, []

    def close(self) -> None:
        pass

    def database_was_reached(self) -> None:
        pass

    def is_database_reached(self) -> bool:
        return False


def test_it_goes_on_after_what_nobody_expected() -> None:
    surprising: Any = _Surprising()
    revoked = RevocationList(surprising, surprising)

    revoked.start()
    try:
        wait_until(lambda: revoked.is_loaded, what="it was read after all")
    finally:
        revoked.stop()
