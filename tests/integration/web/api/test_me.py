"""One's own account: the page, the data, another password, the end."""

from collections.abc import Callable

import pytest

from tests.casting import cast
from tests.integration.clients import PASSWORD, ApiClient, Browser
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.receipt import receipt_code
from vote.worker.worker import Worker

NEW = "Pass1234!?"


@pytest.fixture
def ada(make_user: Callable[..., Account]) -> Account:
    return make_user(username="ada", password=PASSWORD)


def test_the_export_holds_everything(
    ada: Account,
    api: ApiClient,
    settings: Settings,
    worker: Worker,
    make_competition: Callable[..., Competition],
) -> None:
    competition = make_competition(allow_change=True)
    for choice in "ab":
        cast(settings, competition.id, ada.id, choice)
        worker.step()
    token = api.post("/login", json={"username": "ada", "password": PASSWORD}).get_json()["token"]

    answer = ApiClient(api.app, token).get("/api/me/export")

    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    everything = answer.get_json()
    assert everything["user"]["email"] == "ada@example.com"
    [vote] = everything["votes"]
    assert (vote["competition"], vote["choice"], vote["choice_label"]) == (competition.id, "b", "Hall stage")
    assert vote["receipt"] == receipt_code(competition.receipt_key, ada.id)
    assert vote["created_at"].endswith("Z")
    assert vote["changed_at"] is not None
    assert [ballot["choice"] for ballot in everything["ballots"]] == ["a", "b"]
    assert [line["action"] for line in everything["audit"]] == ["insert"]
    assert everything["last_login_on"] is not None
    assert everything["as_of"].endswith("Z")
    assert ada.password_hash not in answer.text


def test_the_page_shows_votes_with_their_receipts(
    ada: Account, browser: Browser, settings: Settings, worker: Worker, make_competition: Callable[..., Competition]
) -> None:
    competition = make_competition()
    cast(settings, competition.id, ada.id, "a")
    worker.step()
    browser.log_in(ada)

    page = browser.get("/account").text

    assert "River stage" in page
    assert receipt_code(competition.receipt_key, ada.id) in page
    assert "ada@example.com" in page


def test_another_password_keeps_this_browser_and_nothing_else(ada: Account, browser: Browser, api: ApiClient) -> None:
    browser.log_in(ada)
    other = Browser(api.app)
    other.log_in(ada)

    answer = browser.submit(
        "/account",
        "/account/password",
        current_password=PASSWORD,
        new_password=NEW,
        confirm_password=NEW,
        username="ada",
    )

    assert answer.status_code == 303
    assert "Your password is changed." in browser.get(answer.location).text
    assert other.get("/api/me").status_code == 401
    assert api.post("/login", json={"username": "ada", "password": PASSWORD}).status_code == 401
    assert api.post("/login", json={"username": "ada", "password": NEW}).status_code == 200


def test_a_wrong_password_changes_nothing(ada: Account, browser: Browser, api: ApiClient) -> None:
    browser.log_in(ada)

    wrong = browser.submit(
        "/account", "/account/password", current_password="wrong", new_password=NEW, confirm_password=NEW
    )
    short = browser.submit(
        "/account", "/account/password", current_password=PASSWORD, new_password="short", confirm_password="short"
    )
    kept = browser.submit("/account", "/account/delete", password="wrong")

    assert wrong.status_code == short.status_code == kept.status_code == 422
    assert "This is not your password." in wrong.text
    assert "Use at least 8 characters." in short.text
    assert "This is not your password." in kept.text
    assert api.post("/login", json={"username": "ada", "password": PASSWORD}).status_code == 200


def test_an_erased_person_is_nobody_and_the_vote_stays(
    ada: Account,
    browser: Browser,
    api: ApiClient,
    owner: Database,
    settings: Settings,
    worker: Worker,
    make_competition: Callable[..., Competition],
) -> None:
    competition = make_competition()
    cast(settings, competition.id, ada.id, "a")
    browser.log_in(ada)

    answer = browser.submit("/account", "/account/delete", password=PASSWORD)

    assert answer.status_code == 303
    assert "Your account is deleted." in browser.get(answer.location).text
    assert browser.get("/api/me").status_code == 401
    assert api.post("/login", json={"username": "ada", "password": PASSWORD}).status_code == 401
    worker.step()
    assert api.get(f"/api/competitions/{competition.id}/results").get_json()["options"] == {"a": 1, "b": 0}
    with owner.read() as tx:
        row = tx.execute("SELECT username, email, password_hash FROM users WHERE id = %s", (ada.id,)).fetchone()
        kept = tx.execute("SELECT count(*) FROM audit_log WHERE before::text || after::text LIKE '%%ada%%'").fetchone()
    assert row == (None, None, None)
    assert kept == (0,)
    again = {"username": "ada", "email": "ada@example.com", "password": PASSWORD, "confirm_password": PASSWORD}
    assert api.post("/register", json=again).status_code == 201


def test_an_api_client_erases_itself(ada: Account, as_user: Callable[[Account], ApiClient]) -> None:
    voter = as_user(ada)
    assert voter.delete("/api/me", json={"password": PASSWORD}).status_code == 204

    assert voter.get("/api/me").status_code == 401
