"""The ballot box and what nobody expected: nobody waits for ever. What it casts is tested with the log."""

import asyncio

import pytest

from vote.ballotlog.ballot_box import BallotBox
from vote.domain.installation import Installation
from vote.errors import LogUnavailable

WITHIN_S = 20


@pytest.mark.parametrize("step", ["_connected", "_exchange"])
def test_whoever_waits_is_told_whatever_goes_wrong(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        return None

    async def surprise(*_: object) -> None:
        raise ValueError("nobody expected this")

    monkeypatch.setattr(BallotBox, "_connected", nothing)
    monkeypatch.setattr(BallotBox, step, surprise)

    async def run() -> None:
        box = BallotBox("redis://127.0.0.1:1/0", 8, Installation("tests"))
        async with asyncio.timeout(WITHIN_S):
            await box.cast(competition=1, voter=2, choice="a", ballot_id="ab" * 16)

    with pytest.raises(LogUnavailable):
        asyncio.run(run())
