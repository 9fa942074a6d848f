"""The limit on votes and what nobody expected: nobody waits for ever. What it counts is tested with Redis."""

import asyncio

import pytest

from vote.casting.vote_limit import VoteLimit
from vote.domain.installation import Installation
from vote.errors import TooManyRequests
from vote.services.best_effort_redis import BestEffortRedis
from vote.services.rate_limits import RateLimit

WITHIN_S = 20
MUCH = RateLimit("tests", burst=10, interval_us=1)


async def _nobody_expected_this(*_: object) -> None:
    raise ValueError("nobody expected this")


async def _no_answer(*_: object) -> None:
    return None


def _limit() -> VoteLimit:
    return VoteLimit("redis://127.0.0.1:1/0", MUCH, Installation("tests"), processes=1)


def test_a_vote_passes_within_the_share_of_its_process_whatever_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BestEffortRedis, "ask_within", _nobody_expected_this)

    async def run() -> None:
        async with asyncio.timeout(WITHIN_S):
            await _limit().take(1, 1)

    asyncio.run(run())


def test_an_answer_that_cannot_be_told_keeps_nobody_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BestEffortRedis, "ask_within", _no_answer)

    def gone(_: TooManyRequests | None) -> None:
        raise ValueError("nobody expected this")

    async def run() -> None:
        limit = _limit()
        limit.ask(1, 1, gone)
        async with asyncio.timeout(WITHIN_S):
            await limit.take(2, 1)

    asyncio.run(run())
