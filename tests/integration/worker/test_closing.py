"""The end of a safe close: over a gap only by an admin's word, with a reason, audited."""

from collections.abc import Callable

import pytest

from tests.casting import cast
from vote.actions import closing
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competitions, shard_positions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.errors import Conflict, InvalidInput, NotAllowed, NotFound
from vote.worker.worker import Worker


@pytest.fixture
def admin(make_user: Callable[..., Account]) -> Person:
    return make_user(role="admin").person


@pytest.fixture
def over_a_gap(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> Competition:
    """A competition that is closing and drained, and lived through a loss of the log."""
    competition = make_competition()
    cast(settings, competition.id, make_user().id, "a")
    worker.step()
    log._call("FLUSHALL")
    worker.step()
    change.close_voting(owner, log, competition.id, by="tests")
    worker.step()
    return competition


def state_of(owner: Database, competition: Competition) -> str:
    with owner.read() as tx:
        found = competitions.find(tx, competition.id)
    assert found is not None
    return found.state


def test_a_gap_holds_the_final_until_an_admin_decides(
    owner: Database, worker: Worker, over_a_gap: Competition, admin: Person
) -> None:
    worker._next_schedule = 0
    worker.step()
    assert state_of(owner, over_a_gap) == "closing"

    closing.finish_over(owner, over_a_gap.id, by=admin, reason="The log's disk was replaced; 1 vote was recorded.")

    assert state_of(owner, over_a_gap) == "closed"
    with owner.read() as tx:
        rows = tx.execute("SELECT decided_by, reason, cardinality(gaps), unmatched FROM decisions").fetchall()
        audited = tx.execute("SELECT actor FROM audit_log WHERE subject = 'decisions'").fetchall()
    assert rows == [(admin.id, "The log's disk was replaced; 1 vote was recorded.", 8, 0)]
    assert audited == [(f"user:{admin.id}",)]


def test_a_gap_that_was_decided_on_holds_nobody_up(
    owner: Database, worker: Worker, over_a_gap: Competition, admin: Person
) -> None:
    with owner.read() as tx:
        gaps = shard_positions.open_gaps(tx)
    for gap in gaps:
        closing.decide_gap(owner, gap.id, by=admin, reason="Looked into.")

    assert closing.finish_closing(owner, over_a_gap.id, by="tests")
    with pytest.raises(NotFound):
        closing.decide_gap(owner, gaps[0].id, by=admin, reason="Again.")


def test_an_older_gap_is_no_matter_of_a_competition_that_opened_since(
    owner: Database,
    log: BallotLog,
    worker: Worker,
    over_a_gap: Competition,
    make_competition: Callable[..., Competition],
) -> None:
    younger = make_competition()
    change.close_voting(owner, log, younger.id, by="tests")
    worker.step()

    closing.finish_closing(owner, younger.id, by="tests")

    assert state_of(owner, younger) == "closed"


def test_only_an_admin_with_a_reason_may_decide_and_only_when_drained(
    owner: Database, log: BallotLog, worker: Worker, over_a_gap: Competition, admin: Person, organiser: Person
) -> None:
    with pytest.raises(NotAllowed):
        closing.finish_over(owner, over_a_gap.id, by=organiser, reason="Mine.")
    with pytest.raises(InvalidInput):
        closing.finish_over(owner, over_a_gap.id, by=admin, reason="  ")
    change.open_voting(owner, log, over_a_gap.id, by="tests")
    change.close_voting(owner, log, over_a_gap.id, by="tests")
    with pytest.raises(Conflict):
        closing.finish_over(owner, over_a_gap.id, by=admin, reason="Not drained yet.")
