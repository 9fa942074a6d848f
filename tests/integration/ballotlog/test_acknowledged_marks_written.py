"""R6: marks are written down within a second, only grow, and a result waits for them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.casting import box_of
from tests.integration.ballotlog.test_acknowledged_marks import answers, done, gaps, press
from tests.servers import Pair
from tests.stack import wait_until
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.casting.acknowledged_marks import AcknowledgedMarks
from vote.config import Settings
from vote.db import acknowledged_marks, competitions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.mark import AcknowledgedMark
from vote.domain.person import Person
from vote.worker import schedule
from vote.worker.worker import Worker

Make = Callable[..., Competition]
MakeUser = Callable[..., Account]


def test_a_mark_that_is_written_late_keeps_a_result_from_being_final(
    settings: Settings,
    servers: Pair,
    owner: Database,
    log: BallotLog,
    worker: Worker,
    organiser: Person,
    competition: Competition,
    voters: list[int],
    home: int,
    runner: asyncio.Runner,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The log comes back, is made ready, voting is closed; all within the second in which a mark is on its way."""
    monkeypatch.setattr(schedule, "SETTLE_MS", 3_600_000)  # a second that lasts
    servers.copy_log(tmp_path / "copy")
    box = box_of(settings)
    runner.run(press(box, competition, voters[0]))
    acknowledged = AcknowledgedMarks(box, owner)
    servers.set_log_back(tmp_path / "copy")
    wait_until(lambda: answers(log))
    worker.step()
    change.close_voting(owner, log, competition.id, by=organiser)
    for _ in range(3):
        worker._next_schedule = worker._next_push = 0.0
        worker.step()
    with owner.read() as tx:
        assert competitions.in_state(tx, "closing") == [competition.id], (
            "a result waits for marks of before the restart"
        )

    monkeypatch.setattr(schedule, "SETTLE_MS", 0)
    runner.run(acknowledged.write())
    runner.run(done(box))
    worker._next_schedule = 0.0
    worker.step()  # finds it
    worker.step()
    worker._next_schedule = 0.0
    worker.step()

    assert gaps(owner, home)
    with owner.read() as tx:
        assert competitions.in_state(tx, "closing") == [competition.id]


def test_a_result_waits_for_marks_only_after_a_restart(
    servers: Pair,
    owner: Database,
    log: BallotLog,
    worker: Worker,
    organiser: Person,
    competition: Competition,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers.restart_log()
    wait_until(lambda: answers(log))
    worker.step()
    monkeypatch.setattr(schedule, "SETTLE_MS", 3_600_000)
    assert not any(schedule.is_settled(shard) for shard in log.describe_all())
    monkeypatch.setattr(schedule, "SETTLE_MS", 0)
    assert all(schedule.is_settled(shard) for shard in log.describe_all())
    assert gaps(owner, 0) == [], "an orderly restart is no loss"


def test_a_mark_only_grows(owner: Database) -> None:
    for position in (3, 7, 5):
        with owner.transaction(by="tests") as tx:
            acknowledged_marks.raise_to(tx, {1: AcknowledgedMark("life", position, f"{position:032x}")})

    with owner.read() as tx:
        assert acknowledged_marks.of_epoch(tx, 1, "life") == AcknowledgedMark("life", 7, f"{7:032x}")
        assert acknowledged_marks.of_epoch(tx, 1, "another life") is None


def test_marks_are_written_within_a_second_and_never_on_the_way_of_a_ballot(
    settings: Settings, servers: Pair, owner: Database, competition: Competition, voters: list[int], home: int
) -> None:
    async def run() -> None:
        box = box_of(settings)
        acknowledged = AcknowledgedMarks(box, owner)
        following = asyncio.create_task(acknowledged.follow())
        servers.freeze_database()
        try:
            outcome = await press(box, competition, voters[0])
        finally:
            servers.thaw_database()
        await asyncio.to_thread(wait_until, lambda: _marked(owner, home) == outcome.position)
        following.cancel()
        await box.close()
        await acknowledged.finish()

    asyncio.run(run())


def _marked(owner: Database, shard: int) -> int:
    with owner.read() as tx:
        return max(
            (mark.position for (one, _), mark in acknowledged_marks.all_marks(tx).items() if one == shard), default=0
        )
