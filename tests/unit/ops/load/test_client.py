"""When requests are due."""

import asyncio
import time

import pytest

from vote.ops.load.client import pace


def test_requests_are_due_at_even_times_and_none_is_sent_earlier() -> None:
    async def taken() -> list[tuple[int, float, float]]:
        return [(number, due, time.monotonic()) async for number, due in pace(5, 200)]

    numbers, dues, times = zip(*asyncio.run(taken()), strict=True)

    assert numbers == (0, 1, 2, 3, 4)
    assert [due - dues[0] for due in dues] == pytest.approx([0, 0.005, 0.01, 0.015, 0.02])
    assert all(now >= due for due, now in zip(dues, times, strict=True))


def test_a_sender_that_is_late_changes_no_due_time() -> None:
    async def taken() -> list[float]:
        dues = []
        async for _, due in pace(3, 1_000):
            dues.append(due)
            time.sleep(0.01)  # noqa: ASYNC251  # the sender, not the service, is slow
        return dues

    first, *later = asyncio.run(taken())

    assert [due - first for due in later] == pytest.approx([0.001, 0.002])
