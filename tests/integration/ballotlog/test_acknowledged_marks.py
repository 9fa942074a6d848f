"""R6: what was acknowledged is compared with what the log holds, so that one that was set back is always noticed."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.casting import box_of, cast
from tests.servers import Pair
from tests.stack import wait_until
from vote.ballotlog import keys
from vote.ballotlog.ballot_box import BallotBox
from vote.ballotlog.log import BallotLog
from vote.ballotlog.pending_ballot import Outcome
from vote.casting.acknowledged_marks import AcknowledgedMarks
from vote.config import Settings
from vote.db import shard_positions, votes
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.mark import AcknowledgedMark
from vote.errors import LogUnavailable
from vote.worker.worker import Worker

Make = Callable[..., Competition]
MakeUser = Callable[..., Account]


def press(box: BallotBox, competition: Competition, voter: int) -> Awaitable[Outcome]:
    return box.cast(competition=competition.id, voter=voter, choice="a", ballot_id=secrets.token_hex(16))


async def compare(box: BallotBox) -> None:
    box.compare_soon()
    assert box._running is not None
    await box._running


async def done(box: BallotBox) -> None:
    await box.close()


def gaps(owner: Database, shard: int) -> list[tuple[str, int]]:
    with owner.read() as tx:
        return [(gap.old_epoch, gap.old_position) for gap in shard_positions.open_gaps(tx) if gap.shard == shard]


def test_marks_that_were_written_down_are_compared_before_a_shard_is_ready(
    settings: Settings,
    servers: Pair,
    owner: Database,
    log: BallotLog,
    worker: Worker,
    competition: Competition,
    voters: list[int],
    home: int,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> None:
    box = box_of(settings)
    runner.run(press(box, competition, voters[0]))
    worker.step()
    servers.copy_log(tmp_path / "copy")
    before = log.describe(home)
    lost = runner.run(press(box, competition, voters[1]))
    runner.run(AcknowledgedMarks(box, owner).write())
    runner.run(done(box))  # this process is gone, with all that it remembers
    servers.set_log_back(tmp_path / "copy")

    wait_until(lambda: answers(log))
    worker.step()

    after = log.describe(home)
    assert after.ready
    assert after.epoch != before.epoch
    [(epoch, position)] = gaps(owner, home)
    assert lost.position is not None
    assert (epoch, position) < (before.epoch, lost.position)
    assert cast(settings, competition.id, voters[1], "a").result == "accepted", "who lost a vote can vote again"


def test_a_process_that_reaches_the_log_late_still_finds_out(
    settings: Settings,
    servers: Pair,
    owner: Database,
    log: BallotLog,
    worker: Worker,
    competition: Competition,
    voters: list[int],
    home: int,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> None:
    """It wrote nothing down, and others have voted meanwhile, past the place of what it acknowledged."""
    servers.copy_log(tmp_path / "copy")
    box = box_of(settings)
    lost = runner.run(press(box, competition, voters[0]))
    before = log.describe(home)
    servers.set_log_back(tmp_path / "copy")
    wait_until(lambda: answers(log))
    worker.step()
    assert log.describe(home).epoch == before.epoch, "nobody knew"
    for voter in voters[1:3]:
        assert cast(settings, competition.id, voter, "a").result == "accepted"
    worker.step()
    assert lost.position is not None
    assert log.describe(home).last > lost.position

    for _ in range(2):  # the first finds the connection dead
        with pytest.raises(LogUnavailable):
            runner.run(press(box, competition, voters[3]))
    assert not log.describe(home).ready
    worker.step()
    runner.run(done(box))

    assert gaps(owner, home) == [(before.epoch, 0)], "nobody knows since when: all of the epoch is in doubt"
    with owner.read() as tx:
        assert [votes.choice_of(tx, competition.id, voter) for voter in voters[:4]] == [None, "a", "a", None]
    assert cast(settings, competition.id, voters[0], "b").result == "accepted"


def test_a_process_without_voters_compares_too(
    settings: Settings,
    servers: Pair,
    owner: Database,
    log: BallotLog,
    worker: Worker,
    competition: Competition,
    voters: list[int],
    home: int,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> None:
    servers.copy_log(tmp_path / "copy")
    box = box_of(settings)
    runner.run(press(box, competition, voters[0]))
    servers.set_log_back(tmp_path / "copy")
    wait_until(lambda: answers(log))
    worker.step()

    runner.run(compare(box))
    runner.run(compare(box))  # the first finds the connection dead
    runner.run(done(box))
    assert log.describe(home).is_set_back


def test_no_ballot_is_appended_below_what_was_acknowledged(
    settings: Settings,
    log: BallotLog,
    competition: Competition,
    voters: list[int],
    home: int,
    runner: asyncio.Runner,
) -> None:
    """In the same step, also over a connection that lives on."""
    box = box_of(settings)
    runner.run(press(box, competition, voters[0]))
    last = log.describe(home).last
    log._call("XDEL", keys.log(home), f"{last}-0")
    log._call("HSET", keys.state(home), "last", last - 1)

    with pytest.raises(LogUnavailable, match="getting ready"):
        runner.run(press(box, competition, voters[1]))
    runner.run(done(box))

    assert log.describe(home).is_set_back
    assert log.describe(home).last == last - 1


def test_a_comparison_while_a_shard_is_made_ready_is_heeded(log: BallotLog, worker: Worker, home: int) -> None:
    """A worker had compared what was written down; a web process that knows better is faster than its last step."""
    log._call("HSET", keys.state(home), "ready", "another instance")
    shard = log.describe(home)

    assert log.compare(home, AcknowledgedMark(shard.epoch, shard.last + 1, "0" * 32)) == "behind"

    assert log.make_ready(shard) == "foreign"
    assert not log.describe(home).ready


def test_what_was_trimmed_is_not_lost(
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    competition: Competition,
    voters: list[int],
    home: int,
    runner: asyncio.Runner,
) -> None:
    box = box_of(settings)
    first = runner.run(press(box, competition, voters[0]))
    for voter in voters[1:3]:
        cast(settings, competition.id, voter, "a")
    worker.step()
    shard = log.describe(home)
    assert first.position is not None
    assert log.trim(shard, first.position + 1) == "ok"

    runner.run(compare(box))
    runner.run(done(box))

    assert log.describe(home).ready


def answers(log: BallotLog) -> bool:
    try:
        log.owners()
    except LogUnavailable:
        return False
    return True
