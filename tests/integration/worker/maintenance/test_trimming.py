"""Marks of positions, and what leaves the log because a verified backup holds it."""

import pytest
from structlog.testing import capture_logs

from tests.casting import cast
from tests.integration.worker.maintenance.maintained import Execute, MakeCompetition, MakeUser, backup, entries, step
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import shard_positions
from vote.db.pool import Database
from vote.worker import maintenance
from vote.worker.maintenance import Maintenance
from vote.worker.worker import Worker


def test_positions_are_marked_once_an_hour_and_marks_go_after_a_week(
    owner: Database, keeper: Maintenance, execute: Execute
) -> None:
    execute("DELETE FROM position_marks")
    keeper.mark()
    keeper.mark()
    marks = "SELECT count(*), count(DISTINCT shard) FROM position_marks"
    assert execute(marks) == [(8, 8)]

    execute("UPDATE position_marks SET marked_at = marked_at - interval '61 minutes'")
    keeper.mark()
    assert execute(marks) == [(16, 8)]
    execute("UPDATE position_marks SET marked_at = marked_at - interval '7 days' + interval '30 minutes'")
    keeper.mark()

    assert execute(marks) == [(16, 8)], "eight too old, eight new"


@pytest.fixture
def long_shard(
    settings: Settings, worker: Worker, make_user: MakeUser, make_competition: MakeCompetition, log: BallotLog
) -> int:
    """A shard with at least four entries, all recorded."""
    competition = make_competition(allow_change=True)
    voter = make_user()
    for choice in "abab":
        shard = cast(settings, competition.id, voter.id, choice).shard
    worker.step()
    assert len(entries(log, shard)) >= 4
    return shard


def test_the_log_is_trimmed_strictly_below_a_verified_backup(
    log: BallotLog, keeper: Maintenance, long_shard: int, execute: Execute
) -> None:
    before, epoch = entries(log, long_shard), log.describe(long_shard).epoch
    backup(execute, {long_shard: (epoch, before[2])}, verified=False)
    keeper._untrimmed = ""  # it was said at the worker's first step
    with capture_logs() as said:
        keeper.trim()
        keeper.trim()
    assert entries(log, long_shard) == before, "nobody has restored this one"
    assert [line["reason"][:42] for line in said] == ["no backup was verified by a restore: only "]

    backup(execute, {long_shard: (epoch, before[1])})
    keeper.trim()

    assert entries(log, long_shard) == before[1:], "the entry at the position stays, to be compared (R6)"


def test_a_database_restored_to_before_the_trim_leaves_a_gap_also_while_the_log_runs_on(
    owner: Database, log: BallotLog, keeper: Maintenance, worker: Worker, long_shard: int, execute: Execute
) -> None:
    before, epoch = log.read_after(long_shard, 0, 1000), log.describe(long_shard).epoch
    backup(execute, {long_shard: (epoch, before[-1].position)})
    keeper.trim()
    restored = before[0]
    execute(
        "UPDATE log_positions SET position = %s, last_entry = %s WHERE shard = %s",
        *(restored.position, restored.id, long_shard),
    )

    step(worker)
    step(worker)

    with owner.read() as tx:
        (gap,) = shard_positions.open_gaps(tx)
    now = log.describe(long_shard)
    assert (gap.shard, gap.old_epoch, gap.old_position, gap.new_epoch) == (
        *(long_shard, epoch, restored.position, now.epoch),
    )
    assert now.ready


@pytest.mark.parametrize("steps", [1, 1000])
def test_never_above_what_is_recorded_nor_in_another_epoch(
    log: BallotLog,
    keeper: Maintenance,
    worker: Worker,
    long_shard: int,
    execute: Execute,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
) -> None:
    monkeypatch.setattr(maintenance, "TRIM_STEP", steps)
    before, epoch = entries(log, long_shard), log.describe(long_shard).epoch
    backup(execute, {long_shard: ("another", before[2])})
    keeper.trim()
    assert entries(log, long_shard) == before

    execute("UPDATE log_positions SET position = %s WHERE shard = %s", before[1], long_shard)
    backup(execute, {long_shard: (epoch, before[-1])})
    keeper.trim()

    assert entries(log, long_shard) == before[1:]


def test_without_a_backup_only_what_is_old_is_trimmed(
    log: BallotLog, keeper: Maintenance, long_shard: int, execute: Execute
) -> None:
    before, epoch = entries(log, long_shard), log.describe(long_shard).epoch
    execute("DELETE FROM position_marks")
    for hours, place in ((73, 1), (71, 2)):
        execute(
            "INSERT INTO position_marks (shard, marked_at, epoch, position)"
            " VALUES (%s, now() - make_interval(hours => %s), %s, %s)",
            long_shard,
            hours,
            epoch,
            before[place],
        )

    keeper.trim()

    assert entries(log, long_shard) == before[1:]


def test_a_shard_that_is_not_ready_is_not_trimmed(
    log: BallotLog, keeper: Maintenance, long_shard: int, execute: Execute
) -> None:
    before, epoch = entries(log, long_shard), log.describe(long_shard).epoch
    backup(execute, {long_shard: (epoch, before[2])})
    log._call("HDEL", f"vote:{{{long_shard}}}:state", "ready")

    keeper.trim()

    assert entries(log, long_shard) == before
