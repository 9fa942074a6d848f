"""R5: a new life of a shard is read from its start, also when the old one was read further than the new one reaches."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.casting import cast
from vote.actions.recording import record_entries
from vote.ballotlog.entries import Entry, Rules
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import shard_lock, shard_positions, tallies, votes
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.ballot import Ballot
from vote.domain.competition import Competition
from vote.worker.drain import drain
from vote.worker.worker import Worker


def test_a_ballot_of_a_new_epoch_below_the_old_position_is_recorded(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition, voters = make_competition(), [make_user() for _ in range(40)]
    for voter in voters[:30]:
        cast(settings, competition.id, voter.id, "a")
    worker.step()

    log._call("FLUSHALL")
    # Somebody has made the new shards ready, but nobody has read on: what comes now lies below the old positions.
    for shard in range(log.shards):
        log.claim(shard, "")
        log.begin_epoch(log.describe(shard), f"new-{shard}")
        log.push_rules(log.describe(shard), [Rules.from_competition(competition)], warming=True)
        log.make_ready(log.describe(shard))
    for voter in voters[30:]:
        assert cast(settings, competition.id, voter.id, "b").result == "accepted"
    worker.step()

    with owner.read() as tx:
        assert {gap.new_epoch for gap in shard_positions.open_gaps(tx)} == {
            f"new-{shard}" for shard in range(log.shards)
        }
        recorded = [votes.choice_of(tx, competition.id, voter.id) for voter in voters]
    assert recorded == ["a"] * 30 + ["b"] * 10


def test_a_half_replayed_log_brings_no_older_choice_back(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R4: what the journal had already is not counted again, not even for a moment."""
    competition, voter = make_competition(allow_change=True), make_user()
    for choice in "ab":
        shard = cast(settings, competition.id, voter.id, choice).shard
        worker.step()

    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE log_positions SET position = 0, last_entry = NULL WHERE shard = %s", (shard,))
    monkeypatch.setattr("vote.worker.drain.BATCH_ENTRIES", 1)
    while (batch := drain(worker.db, log, shard)) is not None:
        with owner.read() as tx:
            assert votes.choice_of(tx, competition.id, voter.id) == "b", f"after position {batch.last}"
            assert tallies.read(tx, [competition.id])[competition.id].counts == {"a": 0, "b": 1}


def test_a_second_ballot_after_a_gap_is_in_the_journal_and_not_in_the_tally(
    owner: Database,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    """The first ballot counts, also when the log forgot it and took another one of the same voter."""
    competition, voter = make_competition(), make_user()

    for position, choice in enumerate("ab", 1):
        ballot = Ballot(uuid4(), competition.id, voter.id, choice, datetime.now(UTC))
        with worker.db.transaction(by="tests") as tx:
            at = shard_lock.lock_shard(tx, 0)
            assert at is not None
            record_entries(tx, at, epoch=f"life-{position}", entries=[Entry(position, ballot.id.hex, ballot)])

    with owner.read() as tx:
        assert tallies.read(tx, [competition.id])[competition.id].counts == {"a": 1, "b": 0}
        assert shard_positions.count_recorded(tx) == 2


def test_a_new_life_moves_the_position_to_its_epoch(owner: Database, worker: Worker) -> None:
    for epoch in ("first life", "second life"):
        with worker.db.transaction(by="tests") as tx:
            at = shard_lock.lock_shard(tx, 0)
            assert at is not None
            record_entries(tx, at, epoch=epoch, entries=[])

    with owner.read() as tx:
        at = shard_positions.all_positions(tx)[0]
    assert (at.epoch, at.position, at.last_entry) == ("second life", 0, None)
