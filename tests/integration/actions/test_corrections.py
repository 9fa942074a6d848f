"""A typo is corrected while people vote, in sight of everybody; a correction moves no vote and replaces no question."""

import re
from collections.abc import Callable
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
from vote.worker import schedule
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]

ALL = "/api/admin/competitions"
ANY = {"If-Match": "*"}


@pytest.fixture
def voted(
    worker: Worker, make_competition: Callable[..., Competition], settings: Settings, make_user: MakeUser
) -> Competition:
    """An open competition with a ballot that is accepted and not recorded: the worker stands still."""
    one = make_competition(name="Build the bridge?", options=["Piza", "Soup"])
    assert cast(settings, one.id, make_user().id, "a").result == "accepted"
    return one


def close(owner: Database, log: BallotLog, worker: Worker, one: Competition) -> None:
    change.close_voting(owner, log, one.id, by="tests")
    settle(worker)


def settle(worker: Worker) -> None:
    worker.step()
    schedule.finish_closings(worker.db)


def test_who_has_voted_sees_the_old_words_beside_the_own_vote(
    admin: ApiClient,
    browser: Browser,
    voted: Competition,
    settings: Settings,
    make_user: MakeUser,
    worker: Worker,
    as_user: Callable[[Account], ApiClient],
) -> None:
    voter = make_user()
    cast(settings, voted.id, voter.id, "b")
    worker.step()
    admin.patch(f"{ALL}/{voted.id}", json={"name": "Build a bridge?", "correction": True}, headers=ANY)

    (vote,) = as_user(voter).get("/api/me/export").get_json()["votes"]
    browser.be(voter, settings)
    page = " ".join(re.sub(r"<[^>]+>", "", browser.get("/account").text).split())

    assert vote["name"] == "Build a bridge?"
    (told,) = vote["corrections"]
    assert (told["field"], told["before"], told["after"]) == ("name", "Build the bridge?", "Build a bridge?")
    assert told["by"].startswith("user-")
    assert re.search(r"Corrected [^:]+:\d\d UTC: Build the bridge\? → Build a bridge\? \(question, by user-", page)


def test_a_typo_is_corrected_in_sight_of_everybody(
    admin: ApiClient,
    api: ApiClient,
    browser: Browser,
    voted: Competition,
    worker: Worker,
    owner: Database,
    log: BallotLog,
) -> None:
    path = f"{ALL}/{voted.id}"
    corrected = admin.patch(path, json={"option_a": "Pizza", "correction": True}, headers=ANY)
    assert corrected.status_code == 200
    assert [option["label"] for option in corrected.get_json()["options"]] == ["Pizza", "Soup"]
    named = admin.patch(path, json={"name": "Build a bridge?", "correction": True}, headers=ANY)
    assert named.headers["ETag"] != corrected.headers["ETag"]

    told = api.get(f"/api/competitions/{voted.id}").get_json()["corrections"]

    assert [(one["field"], one["before"], one["after"]) for one in told] == [
        ("option_a", "Piza", "Pizza"),
        ("name", "Build the bridge?", "Build a bridge?"),
    ]
    assert all(re.fullmatch(r"user-\w+", one["by"]) and one["at"] for one in told)
    for _ in range(2):
        for page in (f"/vote/{voted.id}", f"/results/{voted.id}"):
            text = " ".join(re.sub(r"<[^>]+>", "", browser.get(page).text).split())
            assert re.search(r"Corrected [^:]+:\d\d UTC: Piza → Pizza \(option a, by user-\w+\)", text)
            assert "Build the bridge? → Build a bridge?" in text
        close(owner, log, worker, voted)
    assert api.get(f"/api/competitions/{voted.id}/results").get_json()["options"] == {"a": 1, "b": 0}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"options": ["Pizza"]}, 422),
        ({"options": ["Pizza", "Soup", "Salad"]}, 409),
        ({"options": ["Soup", "Piza"]}, 409),
        ({"option_a": "SOUP", "option_b": "Stew"}, 409),
        ({"name": "Fine", "allow_change": True}, 422),
        ({"results_visibility": "after_close"}, 422),
        ({"name": ""}, 422),
    ],
)
def test_a_correction_corrects_words_and_nothing_else(
    admin: ApiClient, voted: Competition, fields: dict[str, Any], status: int
) -> None:
    answer = admin.patch(f"{ALL}/{voted.id}", json={**fields, "correction": True}, headers=ANY)

    assert answer.status_code == status
    assert admin.get(f"{ALL}/{voted.id}").get_json()["corrections"] == []


def test_an_option_does_not_become_another_in_two_steps(admin: ApiClient, voted: Competition) -> None:
    alike = [(["Stew", other], 409) for other in ("Piza", "PIZA", "\uff30iza", "Pi\u200bza", " Piza\u00a0")]
    for labels, status in ((["Stew", "Soup"], 200), *alike, (["Piza", "Soup"], 200)):
        answer = admin.patch(f"{ALL}/{voted.id}", json={"options": labels, "correction": True}, headers=ANY)
        assert answer.status_code == status, labels


def test_after_the_close_words_stay_with_and_without_a_correction(
    admin: ApiClient, voted: Competition, owner: Database, log: BallotLog, worker: Worker
) -> None:
    change.close_voting(owner, log, voted.id, by="tests")
    for _ in ("closing", "closed"):
        for more in ({}, {"correction": True}):
            for fields in ({"name": "Tear it down?"}, {"description": "Another."}, {"options": ["Pizza", "Soup"]}):
                answer = admin.patch(f"{ALL}/{voted.id}", json={**fields, **more}, headers=ANY)
                assert answer.status_code == 409
        settle(worker)


def test_a_correction_does_not_need_the_log(
    app: Flask, settings: Settings, voted: Competition, make_user: MakeUser, servers: Pair
) -> None:
    admin = ApiClient(app, create_jwt_token(make_user(role="admin").id, secret=settings.jwt_secret))
    servers.freeze_log()
    try:
        answer = admin.patch(f"{ALL}/{voted.id}", json={"option_a": "Pizza", "correction": True}, headers=ANY)
    finally:
        servers.thaw_log()

    assert answer.status_code == 200


def test_before_voting_a_correction_is_a_change(admin: ApiClient) -> None:
    number = admin.post(ALL, json={"name": "Q", "options": ["A", "B"], "draft": True}).get_json()["id"]

    answer = admin.patch(f"{ALL}/{number}", json={"name": "R", "correction": True}, headers=ANY)

    assert (answer.get_json()["name"], answer.get_json()["corrections"]) == ("R", [])


def test_the_dashboard_corrects_and_keeps_what_was_typed(
    browser: Browser, settings: Settings, make_user: MakeUser, voted: Competition
) -> None:
    browser.be(make_user(username="ada", role="admin"), settings)
    page = f"/admin/competitions/{voted.id}"
    form = {"name": voted.name, "description": "", "option_a": "Pizza", "option_b": "Soup", "if_match": voted.etag}
    assert '<input id="name"' not in browser.get(page).text, "the question can only be corrected"

    wrong = browser.submit(page, f"{page}/correct", **{**form, "option_a": ""})
    swapped = browser.submit(page, f"{page}/correct", **{**form, "option_a": "Soup", "option_b": "Stew"})
    right = browser.submit(page, f"{page}/correct", **form)
    stale = browser.submit(page, f"{page}/correct", **{**form, "option_b": "Stew"})

    assert (wrong.status_code, swapped.status_code, right.status_code, stale.status_code) == (422, 409, 303, 412)
    assert 'id="correct-a-error"' in wrong.text
    assert 'value="Stew"' in swapped.text
    assert 'value="Stew"' in stale.text
    told = browser.get(right.location).text
    assert "Everyone sees the old and the new words." in told
    assert "<del><bdi>Piza</bdi></del> → <ins><bdi>Pizza</bdi></ins>" in told
    assert "changed option a: label Piza → Pizza" in told, "the audit list has it too"
