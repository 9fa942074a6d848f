"""Competitions open and close at their times, as they stand at that moment: a list of what is due may be old."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.casting import cast
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competitions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.worker import schedule
from vote.worker.worker import Worker

MakeCompetition = Callable[..., Competition]
DAY = timedelta(days=1)


def stored(db: Database, competition: Competition) -> Competition:
    with db.read() as tx:
        found = competitions.find(tx, competition.id)
    assert found is not None
    return found


def move(owner: Database, competition: Competition, **times: str) -> None:
    """Its times, as SQL says them, without telling anybody."""
    with owner.transaction(by="tests") as tx:
        for name, when in times.items():
            tx.execute(f"UPDATE competitions SET {name} = {when} WHERE id = %s", (competition.id,))  # type: ignore[arg-type]


def test_one_opens_and_closes_at_its_times(owner: Database, log: BallotLog, make_competition: MakeCompetition) -> None:
    one = make_competition(opens_at=datetime.now(UTC) + DAY, closes_at=datetime.now(UTC) + 2 * DAY)
    assert schedule.run_due(owner, log) == []

    move(owner, one, opens_at="now()")
    assert schedule.run_due(owner, log) == [(one.id, "open")]
    assert schedule.run_due(owner, log) == []
    move(owner, one, closes_at="now()")
    assert schedule.run_due(owner, log) == [(one.id, "closing")]
    assert schedule.run_due(owner, log) == []


@pytest.mark.parametrize("meanwhile", ["opened and closed", "opening put off", "closing put off", "deleted"])
def test_what_was_due_when_a_worker_looked_and_no_longer_is_stays_as_it_is(
    meanwhile: str, owner: Database, log: BallotLog, make_competition: MakeCompetition, organiser: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A worker was frozen after its look, or there was much to do before this one."""
    one = make_competition(opens_at=datetime.now(UTC) + DAY)
    if meanwhile == "opened and closed":
        change.open_voting(owner, log, one.id, by=organiser)
        change.close_voting(owner, log, one.id, by=organiser)
        schedule.finish_closings(owner)
    if meanwhile == "closing put off":
        change.open_voting(owner, log, one.id, by=organiser)
        change.change(owner, log, one.id, by=organiser, if_match=None, closes_at=datetime.now(UTC) + DAY)
    if meanwhile == "deleted":
        change.delete(owner, log, one.id, by=organiser, if_match=None)
    with owner.read() as tx:
        before = competitions.find(tx, one.id)
    monkeypatch.setattr(competitions, "due", lambda _tx: [one.id])

    assert schedule.run_due(owner, log) == []

    with owner.read() as tx:
        assert competitions.find(tx, one.id) == before


def test_one_whose_times_have_both_passed_takes_no_ballot_and_is_closed(
    owner: Database,
    worker: Worker,
    settings: Settings,
    make_competition: MakeCompetition,
    make_user: Callable[[], Account],
) -> None:
    """No worker ran from before its opening until after its close."""
    one = make_competition(opens_at=datetime.now(UTC) + DAY, closes_at=datetime.now(UTC) + 2 * DAY)
    move(owner, one, opens_at="now() - interval '2 hours'", closes_at="now() - interval '1 hour'")

    assert schedule.run_due(worker.db, worker.log) == [(one.id, "open")]
    assert stored(owner, one).closes_at is not None
    assert cast(settings, one.id, make_user().id, "a").result == "closed"
    assert schedule.run_due(worker.db, worker.log) == [(one.id, "closing")]
    worker.step()
    assert schedule.finish_closings(worker.db) in ([one.id], [])
    assert (stored(owner, one).state, stored(owner, one).reopened_at) == ("closed", None)
