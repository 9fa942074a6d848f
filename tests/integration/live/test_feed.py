"""Readings of the tallies are shared: watchers and votes cost no more of them."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.integration.live.conftest import running, snapshot, snapshot_with
from tests.stack import wait_until
from vote.db.pool import Database, Tx
from vote.domain.competition import Competition
from vote.live import tally_poller
from vote.live.messages import CompetitionView
from vote.live.tally_poller import TallyPoller
from vote.services.container import Services

Make = Callable[..., Competition]
Count = Callable[..., None]


class CountedDatabase(Database):
    """Remembers when it was read."""

    readings = 0

    @contextlib.contextmanager
    def read(self) -> Iterator[Tx]:
        self.readings += 1
        with super().read() as tx:
            yield tx


def test_watchers_and_votes_cost_no_more_readings(
    services: Services, make_competition: Make, count_votes: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally_poller, "INTERVAL_S", 0.1)
    counted = CountedDatabase(services.settings.database("reports"), size=2, name="vote reports")
    competition_ids = [make_competition().id for _ in range(3)]
    with running(replace(services, reports=counted)) as site:
        watchers = [site.open(competition) for competition in competition_ids for _ in range(10)]
        totals = [snapshot(one)["total"] for one in watchers]
        before, rounds = counted.readings, 5
        for number in range(1, rounds + 1):
            for competition in competition_ids:
                count_votes(competition, a=1)
            for one in watchers:
                snapshot_with(one, number)
        readings = counted.readings - before

        assert totals == [0] * 30
        # Every round is at least one reading; thirty watchers and fifteen changes are not thirty or fifteen times it.
        assert rounds <= readings <= 4 * rounds

        for one in watchers:
            one.close()
        wait_until(lambda: not site.live._hub.watched(), what="all have left")
        still = _settled(counted)
        snapshot(site.open(competition_ids[0]))
        assert counted.readings == still + 1 or counted.readings == still + 2
    counted.close()


def _settled(counted: CountedDatabase) -> int:
    """The number of readings once it stays the same for several intervals: nobody watches, nothing is read."""
    event, same, before = threading.Event(), 0, -1
    while same < 5:
        event.wait(tally_poller.INTERVAL_S)
        same, before = (same + 1 if counted.readings == before else 0), counted.readings
    return before


def test_a_crowd_that_comes_at_once_shares_a_reading(services: Services, make_competition: Make) -> None:
    counted = CountedDatabase(services.settings.database("reports"), size=2, name="vote reports")
    competition = make_competition().id

    async def run() -> list[CompetitionView | None]:
        one = TallyPoller(counted, list, lambda *_: None)
        one.start()
        try:
            known = [one.view(competition) for _ in range(500)]
            unknown = [one.view(number) for number in range(2**52 - 500, 2**52)]
            return await asyncio.gather(*known, *unknown)
        finally:
            await one.stop()

    boards = asyncio.run(run())
    counted.close()

    assert [board is not None for board in boards] == [True] * 500 + [False] * 500
    assert {json.loads(board.figures.text)["competition"] for board in boards if board} == {competition}
    assert counted.readings <= 2


def test_somebody_who_gives_up_takes_nobody_along(services: Services, make_competition: Make) -> None:
    competition = make_competition().id

    async def run() -> CompetitionView | None:
        one = TallyPoller(services.reports, list, lambda *_: None)
        impatient = asyncio.create_task(one.view(competition))
        patient = asyncio.create_task(one.view(competition))
        await asyncio.sleep(0)
        impatient.cancel()
        one.start()
        try:
            return await patient
        finally:
            await one.stop()

    assert asyncio.run(run()) is not None
