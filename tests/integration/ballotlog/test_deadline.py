"""R3: a call that is stuck in a socket cannot land behind a later ballot, and nothing is sent a second time."""

import asyncio
import secrets
import time
from contextlib import closing

import pytest

from tests.silent_log import silent_log
from vote import redis_client
from vote.ballotlog import ballot_box as box_module
from vote.ballotlog.ballot_box import BallotBox
from vote.ballotlog.log import BallotLog
from vote.domain.installation import Installation
from vote.errors import LogUnavailable


def test_a_press_is_sent_once_and_503_waits_for_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_module, "CALL_BUDGET_S", 0.5)

    async def press(url: str) -> float:
        box, began = BallotBox(url, 8, Installation("tests")), time.monotonic()
        with pytest.raises(LogUnavailable):
            await box.cast(competition=1, voter=7, choice="a", ballot_id=secrets.token_hex(16))
        waited = time.monotonic() - began
        await box.close()
        return waited

    with silent_log() as log:
        waited = asyncio.run(press(log.url))

        assert sum(b"vote_cast" in data for data in log.commands) == 1
        assert waited >= 0.5, "told before the stuck call could no longer land"


def test_a_waiting_client_sends_nothing_twice() -> None:
    with silent_log() as log, closing(BallotLog(log.url, 1, Installation("tests"))) as client:
        with pytest.raises(LogUnavailable):
            client.describe(0)

        assert len(log.commands) == 1


def test_a_dead_log_costs_one_short_timeout() -> None:
    with closing(BallotLog("redis://127.0.0.1:1/0", 1, Installation("tests"))) as client:
        began = time.monotonic()
        with pytest.raises(LogUnavailable):
            client.describe(0)

    assert time.monotonic() - began < 10 * redis_client.CONNECT_TIMEOUT_S
