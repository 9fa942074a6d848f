"""R5 to R7: what a shard must have before it takes ballots, and for whom a push is."""

from collections.abc import Callable

import pytest

from tests.casting import cast
from vote.ballotlog import keys
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import shard_positions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker.drain import drain
from vote.worker.make_ready import ReadyStatus, make_ready
from vote.worker.worker import Worker

ANOTHER_INSTANCE = "f" * 40


def replace_server(log: BallotLog) -> None:
    """Another server instance runs now than the one each shard was made ready for."""
    for shard in range(log.shards):
        log._call("HSET", keys.state(shard), "ready", ANOTHER_INSTANCE)


def test_a_cold_shard_is_drained_before_it_is_ready(
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    shard = cast(settings, make_competition().id, make_user().id, "a").shard
    replace_server(log)

    assert make_ready(worker.db, log, shard) is ReadyStatus.DRAIN
    assert not log.describe(shard).ready
    while drain(worker.db, log, shard):
        pass
    assert make_ready(worker.db, log, shard) is ReadyStatus.READY
    assert log.describe(shard).ready


@pytest.mark.parametrize("may_lack_a_tail", [True, False], ids=["nobody-waited", "waited-for"])
def test_a_promoted_log_that_nobody_waited_for_is_a_new_epoch_with_a_gap(
    owner: Database, log: BallotLog, worker: Worker, may_lack_a_tail: bool
) -> None:
    before = {shard.epoch for shard in log.describe_all()}
    worker.may_lack_a_tail = may_lack_a_tail
    replace_server(log)

    worker.step()

    after = log.describe_all()
    assert all(shard.ready for shard in after)
    assert before.isdisjoint({shard.epoch for shard in after}) == may_lack_a_tail
    with owner.read() as tx:
        assert len(shard_positions.open_gaps(tx)) == (log.shards if may_lack_a_tail else 0)


def test_voters_that_were_read_for_one_life_of_a_shard_are_not_told_to_the_next(
    log: BallotLog, worker: Worker, make_competition: Callable[..., Competition]
) -> None:
    """A frozen worker wakes in the middle of its push, and the log was lost meanwhile."""
    competition, before = make_competition(), log.describe(0)
    log.begin_epoch(before, "the next life")

    assert log.push_voters(before, competition.id, {7: "a"}) == "foreign"
    assert log.push_rules(log.renewed(before), [], warming=True).status == "foreign"
    assert log.make_ready(log.renewed(before)) == "foreign"
    assert log._call("EXISTS", keys.voters(0, competition.id)) == 0
