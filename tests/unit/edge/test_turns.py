"""Places are bounded, and so is the wait for one."""

import asyncio

import pytest

from vote.edge.turns import Turns
from vote.errors import Unavailable


def test_so_many_at_a_time_and_no_more() -> None:
    async def run() -> int:
        turns, inside, most = Turns(3, wait_s=60), 0, 0

        async def one() -> None:
            nonlocal inside, most
            async with turns.one():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(one() for _ in range(20)))
        return most

    assert asyncio.run(run()) == 3


def test_who_waits_too_long_is_told_and_takes_no_place() -> None:
    async def run() -> None:
        turns = Turns(1, wait_s=0.01)
        async with asyncio.timeout(10), turns.one():
            with pytest.raises(Unavailable, match="Try again in a few seconds"):
                async with turns.one():
                    raise AssertionError("two at a time")
        async with turns.one():
            pass

    asyncio.run(run())
