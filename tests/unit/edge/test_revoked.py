"""The thread that reads log-outs, whatever happens to it. What it reads is tested with the database."""

import contextlib
from typing import Any

import pytest

from tests.stack import wait_until
from vote.db import users
from vote.edge.revoked import Revoked


def test_it_goes_on_after_what_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def revocations_after(*_: object) -> list[object]:
        asked.append(1)
        if len(asked) <= 2:
            raise ValueError("nobody expected this")
        return []

    class Nothing:
        def read(self) -> contextlib.nullcontext[None]:
            return contextlib.nullcontext()

    monkeypatch.setattr(users, "revocations_after", revocations_after)
    nothing: Any = Nothing()
    revoked = Revoked(nothing)

    revoked.start()
    try:
        wait_until(lambda: revoked.is_loaded, what="it was read after all")
    finally:
        revoked.stop()
