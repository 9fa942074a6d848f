"""The worker, stepped by hand, on real servers."""

import secrets
from collections.abc import Callable

import pytest

from tests.casting import cast
from vote.actions import competitions as change
from vote.actions.closing import finish_closing
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competitions, shard_positions, tallies, votes
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.errors import ConfigError
from vote.worker.worker import Worker


def counts(owner: Database, competition: Competition) -> dict[str, int]:
    with owner.read() as tx:
        return tallies.read(tx, [competition.id])[competition.id].counts


def test_a_ballot_is_recorded_once_with_its_tally(
    owner: Database,
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition, voter = make_competition(), make_user()

    first = cast(settings, competition.id, voter.id, "a")
    second = cast(settings, competition.id, voter.id, "a")
    other = cast(settings, competition.id, voter.id, "b")
    worker.step()

    assert (first.result, second.result, other.result) == ("accepted", "again", "already")
    assert counts(owner, competition) == {"a": 1, "b": 0}
    with owner.read() as tx:
        assert votes.choice_of(tx, competition.id, voter.id) == "a"
        assert shard_positions.count_recorded(tx) == 1


def test_the_last_ballot_counts_where_change_is_allowed(
    owner: Database,
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition, voter, other = make_competition(allow_change=True), make_user(), make_user()

    words = [cast(settings, competition.id, voter.id, choice).result for choice in "ab"]
    cast(settings, competition.id, other.id, "b")
    worker.step()
    words += [cast(settings, competition.id, voter.id, choice).result for choice in "bab"]
    worker.step()

    assert words == ["accepted", "changed", "again", "changed", "changed"]
    assert counts(owner, competition) == {"a": 0, "b": 2}


def test_an_unreadable_entry_is_set_aside_and_blocks_nobody(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition, voter = make_competition(), make_user()
    shard = cast(settings, competition.id, voter.id, "a").shard
    planted = log.describe(shard).last + 1
    log._call("XADD", f"vote:{{{shard}}}:log", f"{planted}-0", "e", "ballot not-a-uuid 1 \0 a 7")
    log._call("HSET", f"vote:{{{shard}}}:state", "last", planted)

    worker.step()

    with owner.read() as tx:
        rejected = tx.execute("SELECT shard, position, reason FROM rejected_ballots").fetchall()
        assert shard_positions.all_positions(tx)[shard].position == planted
    assert [row[:2] for row in rejected] == [(shard, planted)]
    assert counts(owner, competition) == {"a": 1, "b": 0}


def test_a_ballot_of_an_unknown_voter_is_kept_aside_and_holds_the_final(
    owner: Database, settings: Settings, log: BallotLog, worker: Worker, make_competition: Callable[..., Competition]
) -> None:
    competition = make_competition()

    cast(settings, competition.id, 2_000_000_000, "a")
    worker.step()
    change.close_voting(owner, log, competition.id, by="tests")
    worker.step()

    assert not finish_closing(owner, competition.id, by="tests")
    with owner.read() as tx:
        assert shard_positions.count_unmatched(tx, competition.id) == 1


def test_closing_drains_before_it_is_final(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition, voters = make_competition(), [make_user() for _ in range(5)]
    for voter in voters[:4]:
        cast(settings, competition.id, voter.id, "a")

    closing = change.close_voting(owner, log, competition.id, by="tests")
    late = cast(settings, competition.id, voters[4].id, "a")
    again = cast(settings, competition.id, voters[0].id, "a")
    too_early = finish_closing(owner, competition.id, by="tests")
    worker.step()
    finish_closing(owner, competition.id, by="tests")

    assert (closing.state, late.result, again.result, too_early) == ("closing", "closed", "again", False)
    with owner.read() as tx:
        found = competitions.find(tx, competition.id)
    assert found is not None
    assert found.state == "closed"
    assert counts(owner, competition) == {"a": 4, "b": 0}


def test_a_wiped_log_begins_a_new_epoch_with_a_gap_and_knows_its_voters(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition, voter = make_competition(), make_user()
    shard = cast(settings, competition.id, voter.id, "a").shard
    worker.step()

    log._call("FLUSHALL")
    worker.step()
    other = cast(settings, competition.id, voter.id, "b")
    same = cast(settings, competition.id, voter.id, "a")

    assert (other.result, same.result) == ("already", "again")
    with owner.read() as tx:
        assert shard in {gap.shard for gap in shard_positions.open_gaps(tx)}
    assert counts(owner, competition) == {"a": 1, "b": 0}


def test_a_lost_tail_is_noticed(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition, voter = make_competition(), make_user()
    outcome = cast(settings, competition.id, voter.id, "a")
    worker.step()
    before = log.describe(outcome.shard)
    log._call("XDEL", f"vote:{{{outcome.shard}}}:log", f"{outcome.position}-0")
    log._call("HSET", f"vote:{{{outcome.shard}}}:state", "last", outcome.position - 1 if outcome.position else 0)
    log._call("HDEL", f"vote:{{{outcome.shard}}}:state", "ready")

    worker.step()

    after = log.describe(outcome.shard)
    assert after.ready
    assert after.epoch != before.epoch
    with owner.read() as tx:
        assert [gap.old_epoch for gap in shard_positions.open_gaps(tx)] == [before.epoch]
    assert counts(owner, competition) == {"a": 1, "b": 0}


def test_a_replayed_log_changes_nothing(
    owner: Database,
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition, voters = make_competition(allow_change=True), [make_user() for _ in range(20)]
    for voter in voters:
        cast(settings, competition.id, voter.id, secrets.choice("ab"))
    worker.step()
    before = counts(owner, competition)

    for _ in range(3):
        with owner.transaction(by="tests") as tx:
            tx.execute("UPDATE log_positions SET position = 0, last_entry = NULL")
        worker.step()

    assert counts(owner, competition) == before
    with owner.read() as tx:
        assert shard_positions.count_recorded(tx) == 20


def test_another_number_of_shards_is_refused(worker: Worker, settings: Settings) -> None:
    other = Worker.from_settings(settings.model_copy(update={"vote_shards": 3}))

    with pytest.raises(ConfigError, match="made with 8"):
        other.prepare()
    other.close()
