"""What voters relied on: words, options and rules stay once a ballot is accepted, recorded or not; corrections are shown."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from tests.casting import cast
from tests.integration.clients import ApiClient, Browser
from tests.servers import Pair
from vote.actions import competitions as change
from vote.auth import create_jwt_token
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.services.container import Services
from vote.worker import schedule
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]

ALL = "/api/admin/competitions"
ANY = {"If-Match": "*"}
WORDS: list[dict[str, Any]] = [{"name": "Tear it down?"}, {"description": "Another story."}]
OPTIONS: dict[str, Any] = {"options": ["Keep it", "Tear it down"]}


@pytest.fixture
def one(worker: Worker, make_competition: MakeCompetition) -> Competition:
    """An open competition, in a log that is ready; nobody has voted."""
    return make_competition(name="Build the bridge?", options=["Piza", "Soup"])


@pytest.fixture
def voted(one: Competition, settings: Settings, make_user: MakeUser) -> Competition:
    """The same with a ballot that is accepted and not recorded: the worker stands still."""
    assert cast(settings, one.id, make_user().id, "a").result == "accepted"
    return one


def settle(worker: Worker) -> None:
    worker.step()
    schedule.finish_closings(worker.db)


def close(owner: Database, log: BallotLog, worker: Worker, one: Competition) -> None:
    change.close_voting(owner, log, one.id, by="tests")
    settle(worker)


@pytest.mark.parametrize("fields", [*WORDS, OPTIONS])
def test_once_a_ballot_is_accepted_words_and_options_stay(
    admin: ApiClient, voted: Competition, worker: Worker, fields: dict[str, Any], subtests: pytest.Subtests
) -> None:
    for moment in ("accepted", "recorded"):
        with subtests.test(moment):
            answer = admin.patch(f"{ALL}/{voted.id}", json=fields, headers=ANY)
            assert answer.status_code == 409
            assert "orrect" in answer.get_json()["detail"], "it says how a typo is mended"
            shown = admin.get(f"/api/competitions/{voted.id}").get_json()
            assert (shown["name"], shown["description"], shown["corrections"]) == ("Build the bridge?", "", [])
        worker.step()


def test_until_somebody_votes_words_may_change(admin: ApiClient, one: Competition, settings: Settings) -> None:
    changed = admin.patch(f"{ALL}/{one.id}", json={"name": "Repair the bridge?"}, headers=ANY)

    assert (changed.status_code, changed.get_json()["name"]) == (200, "Repair the bridge?")
    assert changed.get_json()["corrections"] == []
    assert cast(settings, one.id, 1, "a").result == "accepted", "nothing of the question whether anybody voted is left"


@pytest.mark.parametrize("state", ["accepted", "recorded", "of an erased voter", "kept aside", "lost in a gap"])
def test_nothing_that_was_accepted_is_overlooked(
    state: str, admin: ApiClient, one: Competition, settings: Settings, make_user: MakeUser, worker: Worker,
    owner: Database, log: BallotLog, set_one_aside: Callable[[int], None],
) -> None:  # fmt: skip
    voter = make_user()
    if state == "kept aside":
        set_one_aside(one.id)
    else:
        cast(settings, one.id, voter.id, "a")
    if state == "lost in a gap":
        log._call("FLUSHALL")
    if state != "accepted":
        worker.step()
    if state == "of an erased voter":
        with owner.transaction(by="tests") as tx:
            tx.execute("SELECT erase_person(%s)", (voter.id,))

    assert admin.patch(f"{ALL}/{one.id}", json={"name": "Another"}, headers=ANY).status_code == 409
    assert admin.delete(f"{ALL}/{one.id}", headers=ANY).status_code == 409
    assert admin.get(f"/api/competitions/{one.id}").get_json()["state"] == "open"


def test_a_competition_with_an_accepted_ballot_is_not_deleted_and_goes_on(
    admin: ApiClient, voted: Competition, settings: Settings, make_user: MakeUser, worker: Worker
) -> None:
    assert admin.delete(f"{ALL}/{voted.id}", headers=ANY).status_code == 409

    assert cast(settings, voted.id, make_user().id, "b").result == "accepted"
    worker.step()
    assert admin.get(f"/api/competitions/{voted.id}/results").get_json()["options"] == {"a": 1, "b": 1}


@pytest.mark.parametrize("fields", [{}, {"draft": True}, {"opens_at": "2035-06-01T12:00:00Z"}, "closed"])
def test_what_nobody_voted_in_is_deleted_for_good(
    admin: ApiClient, worker: Worker, settings: Settings, owner: Database, fields: Any
) -> None:
    made = {"name": "Q", "options": ["A", "B"], **({} if fields == "closed" else fields)}
    number = admin.post(ALL, json=made).get_json()["id"]
    if fields == "closed":
        admin.post(f"{ALL}/{number}/close")
        settle(worker)

    assert admin.delete(f"{ALL}/{number}", headers=ANY).status_code == 204

    assert admin.get(f"{ALL}/{number}").status_code == 404
    assert cast(settings, number, 1, "a").result == "unknown", "the log knows it no more"
    worker.step()
    with owner.read() as tx:
        assert tx.execute("SELECT (SELECT count(*) FROM options), (SELECT count(*) FROM log_markers)").fetchone() == (
            0,
            0,
        )


@pytest.fixture
def away(servers: Pair, worker: Worker) -> Iterator[None]:
    """The ballot log does not answer, once everything else is made."""
    servers.freeze_log()
    yield
    servers.thaw_log()


def test_while_the_log_is_away_nothing_is_changed_that_depends_on_it(
    app: Flask, settings: Settings, owner: Database, one: Competition, make_user: MakeUser, away: None
) -> None:
    admin = ApiClient(app, create_jwt_token(make_user(role="admin").id, secret=settings.jwt_secret))

    answers = [
        admin.patch(f"{ALL}/{one.id}", json={"name": "Another"}, headers=ANY),
        admin.delete(f"{ALL}/{one.id}", headers=ANY),
    ]

    assert [answer.status_code for answer in answers] == [503, 503]
    with owner.read() as tx:
        row = tx.execute(
            "SELECT name, status, held_until, revision FROM competitions WHERE id = %s", (one.id,)
        ).fetchone()
    assert row == (one.name, "open", None, one.revision)


# --- archive and reopening --------------------------------------------------------------------------------------------
def test_only_a_closed_one_is_archived_and_who_runs_it_still_sees_it(
    admin: ApiClient, api: ApiClient, browser: Browser, settings: Settings, services: Services, make_user: MakeUser,
    one: Competition, owner: Database, log: BallotLog, worker: Worker, as_user: Callable[[Account], ApiClient],
) -> None:  # fmt: skip
    voter = make_user()
    cast(settings, one.id, voter.id, "a")
    assert admin.post(f"{ALL}/{one.id}/archive").status_code == 409
    close(owner, log, worker, one)
    receipt = as_user(voter).get("/api/me/export").get_json()["votes"][0]["receipt"]

    archived = admin.post(f"{ALL}/{one.id}/archive")

    assert (archived.status_code, archived.get_json()["state"]) == (200, "archived")
    assert admin.post(f"{ALL}/{one.id}/archive").headers["ETag"] == archived.headers["ETag"], "twice changes nothing"
    for path in (f"/api/competitions/{one.id}", f"/api/competitions/{one.id}/results"):
        assert (api.get(path).status_code, as_user(voter).get(path).status_code) == (404, 404)
        assert admin.get(path).status_code == 200
    assert admin.get(f"{ALL}/{one.id}").get_json()["final"] is True
    assert [found["id"] for found in admin.get(ALL).get_json()["competitions"]] == [one.id]
    assert api.get("/api/competitions").get_json()["competitions"] == []
    assert api.get(f"/api/receipts/{receipt}").get_json() == {"status": "recorded"}
    for path in ("/open", "/close"):
        assert admin.post(f"{ALL}/{one.id}{path}").status_code == 409
    assert admin.patch(f"{ALL}/{one.id}", json={"name": "N"}, headers=ANY).status_code == 409
    browser.be(voter, settings)
    assert f'href="/vote/{one.id}"' not in browser.get("/account").text, "no link leads to what is gone for a voter"
    browser.be(make_user(role="admin"), settings)
    for page in (f"/vote/{one.id}", f"/results/{one.id}", f"/admin/competitions/{one.id}"):
        assert browser.get(page).status_code == 200


def test_a_reopened_one_says_so(
    api: ApiClient, browser: Browser, voted: Competition, owner: Database, log: BallotLog, worker: Worker
) -> None:
    path = f"/api/competitions/{voted.id}"
    before = api.get(path).get_json()
    assert (before["reopened_at"], before["previous_final_at"], before["final"]) == (None, None, False)
    close(owner, log, worker, voted)
    final_at = api.get(path).get_json()

    change.open_voting(owner, log, voted.id, by="tests")

    told = api.get(path).get_json()
    assert told["reopened_at"] > told["previous_final_at"] > before["opens_at"] if before["opens_at"] else True
    assert (final_at["final"], told["final"]) == (True, False)
    for page in (f"/vote/{voted.id}", f"/results/{voted.id}"):
        assert "Voting was reopened" in browser.get(page).text
        assert "The result that had been final since" in browser.get(page).text
    close(owner, log, worker, voted)
    assert "This result replaces the one that had been final since" in browser.get(f"/results/{voted.id}").text
    assert api.get(path).get_json()["reopened_at"] == told["reopened_at"]


@pytest.mark.parametrize("hidden", ["after_vote", "after_close"])
def test_no_way_round_leads_to_results_earlier_than_announced(
    hidden: str, admin: ApiClient, api: ApiClient, make_competition: MakeCompetition, owner: Database, log: BallotLog,
    worker: Worker, settings: Settings, make_user: MakeUser,
) -> None:  # fmt: skip
    one = make_competition(results_visibility=hidden)
    cast(settings, one.id, make_user().id, "a")
    close(owner, log, worker, one)

    loosened = admin.patch(f"{ALL}/{one.id}", json={"results_visibility": "live"}, headers=ANY)
    admin.post(f"{ALL}/{one.id}/open")

    assert loosened.status_code == 409
    assert api.get(f"/api/competitions/{one.id}/results").status_code == 403
