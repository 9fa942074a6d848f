"""Places are bounded, and so is the wait for one."""

import asyncio

import pytest

from vote.errors import Unavailable
from vote.server.concurrency_limit import ConcurrencyLimit


def test_so_many_at_a_time_and_no_more() -> None:
    async def run() -> int:
        limit, inside, most = ConcurrencyLimit(3, wait_s=60), 0, 0

        async def one() -> None:
            nonlocal inside, most
            async with limit.slot():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(one() for _ in range(20)))
        return most

    assert asyncio.run(run()) == 3


def test_who_waits_too_long_is_told_and_takes_no_place() -> None:
    async def run() -> None:
        limit = ConcurrencyLimit(1, wait_s=0.01)
        async with asyncio.timeout(10), limit.slot():
            with pytest.raises(Unavailable, match="Try again in a few seconds"):
                async with limit.slot():
                    raise AssertionError("two at a time")
        async with limit.slot():
            pass

    asyncio.run(run())


def test_each_has_a_turn_however_many_wait_in_anothers_name() -> None:
    async def run() -> list[str]:
        limit, order = ConcurrencyLimit(1, wait_s=60), list[str]()

        async def one(whose: str) -> None:
            async with limit.slot(whose):
                order.append(whose)
                await asyncio.sleep(0)

        crowd = [asyncio.create_task(one("crowd")) for _ in range(50)]
        await asyncio.sleep(0)
        await asyncio.gather(*crowd, one("ada"), one("eve"))
        return order

    order = asyncio.run(run())

    assert {"ada", "eve"} <= set(order[:5])
    assert order.count("crowd") == 50


def test_who_goes_away_while_waiting_leaves_no_place_taken() -> None:
    async def run() -> None:
        limit = ConcurrencyLimit(1, wait_s=60)
        async with asyncio.timeout(10):
            async with limit.slot("ada"):
                gone = [asyncio.create_task(limit.slot("eve").__aenter__()) for _ in range(3)]
                await asyncio.sleep(0)
                gone[0].cancel()
            gone[1].cancel()  # in the moment in which it was given the place
            await asyncio.gather(*gone, return_exceptions=True)
            assert gone[2].exception() is None
        assert not limit._waiting

    asyncio.run(run())
