"""What is closed can be reopened while the log knows who voted, and not after that, whoever believes what."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.casting import cast
from tests.integration.clients import ApiClient, Browser
from tests.integration.worker.maintenance.maintained import (
    Close,
    Execute,
    MakeCompetition,
    MakeUser,
    counts,
    step,
    voters_in_log,
)
from vote.actions import competitions as change
from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competitions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.errors import Conflict
from vote.worker.maintenance import Maintenance
from vote.worker.worker import Worker

AGED = "UPDATE competitions SET closed_at = now() - make_interval(mins => %s) WHERE id = %s"
REOPENED = """
    UPDATE competitions SET status = 'open', closed_at = NULL, forgotten_at = NULL, rules_version = rules_version + 1
    WHERE id = %s
"""


@pytest.fixture
def voted(
    settings: Settings, worker: Worker, close: Close, make_user: MakeUser, make_competition: MakeCompetition
) -> tuple[Competition, Account]:
    """A closed competition with one vote."""
    competition, voter = make_competition(), make_user()
    cast(settings, competition.id, voter.id, "a")
    close(competition)
    return competition, voter


@pytest.mark.parametrize(("minutes", "may"), [(71 * 60, True), (72 * 60 + 1, False)])
def test_it_is_reopened_only_while_the_log_knows_who_voted(
    browser: Browser,
    app: Flask,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    keeper: Maintenance,
    voted: tuple[Competition, Account],
    make_user: MakeUser,
    token_of: Callable[[Account], str],
    execute: Execute,
    minutes: int,
    may: bool,
) -> None:
    competition, voter = voted
    execute(AGED, minutes, competition.id)
    keeper.forget()
    assert voters_in_log(log, competition) == 1, "an hour more than it may be reopened"
    admin = make_user(role="admin")
    browser.be(admin, settings)
    page = browser.get(f"/admin/competitions/{competition.id}").text
    assert ("You can reopen voting until" in page, "Voting could be reopened until" in page) == (may, not may)
    assert (f"/admin/competitions/{competition.id}/reopen" in page) is may

    answer = ApiClient(app, token_of(admin)).post(f"/api/admin/competitions/{competition.id}/open")
    step(worker)

    assert answer.status_code == (200 if may else 409)
    if may:
        assert cast(settings, competition.id, voter.id, "b").result == "already"
        assert cast(settings, competition.id, make_user().id, "b").result == "accepted"
    else:
        assert "Voting could be reopened until" in answer.get_json()["detail"]


def test_a_setting_says_how_long(
    owner: Database, log: BallotLog, voted: tuple[Competition, Account], execute: Execute
) -> None:
    competition, _ = voted
    execute(AGED, 61, competition.id)
    with pytest.raises(Conflict, match="could be reopened until"):
        change.open_voting(owner, log, competition.id, by="tests", keep_hours=1)
    assert change.open_voting(owner, log, competition.id, by="tests", keep_hours=2).state == "open"


def test_an_announcement_that_comes_late_opens_nothing(
    settings: Settings, log: BallotLog, worker: Worker, forgotten: tuple[Competition, list[Account]]
) -> None:
    """R7: of a process that slept since before the closing, also when the log was lost meanwhile."""
    competition, voters = forgotten
    log.announce([Rules.from_competition(competition)])
    assert cast(settings, competition.id, voters[0].id, "b").result == "unknown"

    log._call("FLUSHALL")
    step(worker)
    assert voters_in_log(log, competition) == 0
    log.announce([Rules.from_competition(competition)])
    assert cast(settings, competition.id, voters[0].id, "b").result == "unknown"


def test_a_worker_that_slept_forgets_nothing_that_was_reopened(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    voted: tuple[Competition, Account],
    execute: Execute,
) -> None:
    competition, voter = voted
    with owner.read() as tx:
        final = competitions.find(tx, competition.id)
    assert final is not None
    execute(AGED, 60, competition.id)
    change.open_voting(owner, log, competition.id, by="tests")
    step(worker)

    for shard in log.describe_all():
        log.forget(shard, {competition.id: final.rules_version})

    assert cast(settings, competition.id, voter.id, "a").result == "again"


def test_a_database_that_was_set_back_reopens_nothing_the_log_has_forgotten(
    owner: Database, log: BallotLog, worker: Worker, forgotten: tuple[Competition, list[Account]], execute: Execute
) -> None:
    """It closed again by the log's marker, so by its own clock it could be reopened; the log knows better."""
    competition, _ = forgotten
    execute("UPDATE competitions SET forgotten_at = NULL, closed_at = now() WHERE id = %s", competition.id)
    worker._announced.clear()

    step(worker)

    assert execute("SELECT forgotten_at IS NOT NULL FROM competitions WHERE id = %s", competition.id) == [(True,)]
    with pytest.raises(Conflict, match="could be reopened until"):
        change.open_voting(owner, log, competition.id, by="tests")


def test_what_is_open_again_in_a_database_that_was_set_back_takes_nothing_and_can_be_closed(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    forgotten: tuple[Competition, list[Account]],
    make_user: MakeUser,
    execute: Execute,
) -> None:
    competition, voters = forgotten
    execute(REOPENED, competition.id)
    worker._announced.clear()
    step(worker)

    assert {cast(settings, competition.id, one.id, "b").result for one in (*voters, make_user())} == {"unknown"}

    change.close_voting(owner, log, competition.id, by="tests")
    step(worker)
    step(worker)
    assert execute("SELECT status FROM competitions WHERE id = %s", competition.id) == [("closed",)]
    assert counts(owner, competition) == {"a": 20, "b": 0}
    assert cast(settings, competition.id, voters[0].id, "b").result == "unknown", "it stays forgotten"


def test_a_competition_that_opens_again_is_not_over(
    owner: Database, log: BallotLog, voted: tuple[Competition, Account], execute: Execute
) -> None:
    competition, _ = voted
    execute("UPDATE competitions SET journal_retired_at = now() WHERE id = %s", competition.id)
    execute(AGED, 60, competition.id)

    change.open_voting(owner, log, competition.id, by="tests")

    assert execute("SELECT 1 FROM competitions WHERE forgotten_at IS NULL AND journal_retired_at IS NULL") == [(1,)]
