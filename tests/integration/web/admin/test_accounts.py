"""What admins do to other people's accounts, by page and by API: found, changed, ended everywhere, and written down."""

from collections.abc import Callable

import pytest

from tests.integration.clients import PASSWORD, ApiClient, Browser
from vote.actions import account_administration as actions
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.errors import Conflict, NotFound
from vote.web.admin import accounts as account_pages
from vote.web.api import accounts as account_api

MakeUser = Callable[..., Account]
AsUser = Callable[[Account], ApiClient]
PEOPLE = "/api/admin/people"


@pytest.fixture
def chief(make_user: MakeUser) -> Account:
    return make_user(username="chief", role="admin")


@pytest.fixture
def dashboard(browser: Browser, chief: Account, settings: Settings) -> Browser:
    """The chief's browser."""
    browser.be(chief, settings)
    return browser


def names(client: ApiClient, query: str = "") -> list[str]:
    return [one["username"] for one in client.get(f"{PEOPLE}{query}").get_json()["people"]]


def test_people_are_found_by_how_the_name_begins(as_user: AsUser, chief: Account, make_user: MakeUser) -> None:
    for name in ("Zoe", "anna", "Anna_B", "anna-c", "annaX", "bo.b"):
        make_user(username=name)
    client = as_user(chief)

    assert names(client) == ["anna", "anna-c", "Anna_B", "annaX", "bo.b", "chief", "Zoe"]
    assert names(client, "?search=ANNA") == ["anna", "anna-c", "Anna_B", "annaX"]
    assert names(client, "?search=anna_") == ["Anna_B"]
    assert names(client, "?search=zoe@Example.com") == ["Zoe"]
    for nothing in ("%25", "nna", "zoe@example", "%00", "~", "a%20b", "%F0%9F%98%80", "x" * 5000):
        assert names(client, f"?search={nothing}") == []


def test_people_come_page_by_page(
    as_user: AsUser, chief: Account, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch, dashboard: Browser
) -> None:
    monkeypatch.setattr(account_api, "PAGE_SIZE", 2)
    monkeypatch.setattr(account_pages, "PAGE_SIZE", 2)
    for name in ("ann", "Ben", "cas"):
        make_user(username=name)
    client = as_user(chief)

    pages, after = [], ""
    while after is not None:
        page = client.get(f"{PEOPLE}?after={after}").get_json()
        pages.append([one["username"] for one in page["people"]])
        after = page["next"]

    assert pages == [["ann", "Ben"], ["cas", "chief"]]
    assert 'href="/admin/people?after=Ben">More accounts' in dashboard.get("/admin/people").text
    assert "More accounts" not in dashboard.get("/admin/people?after=Ben").text


def test_what_an_admin_sees_unlocks_nothing(as_user: AsUser, chief: Account) -> None:
    assert set(as_user(chief).get(f"{PEOPLE}/{chief.id}").get_json()) == {
        "id", "username", "email", "role", "created_at", "disabled_at", "locked_until",
    }  # fmt: skip
    assert as_user(chief).get(f"{PEOPLE}/999").status_code == 404


def test_a_disabled_person_is_out_and_stays_out_until_enabled(
    as_user: AsUser, chief: Account, make_user: MakeUser, api: ApiClient
) -> None:
    ada = make_user(username="ada", password=PASSWORD)
    login = {"username": "ada", "password": PASSWORD}
    old = ApiClient(api.app, api.post("/login", json=login).get_json()["token"])
    client = as_user(chief)

    disabled = client.post(f"{PEOPLE}/{ada.id}/disable")
    assert disabled.status_code == 200
    assert disabled.get_json()["disabled_at"] is not None
    assert client.post(f"{PEOPLE}/{ada.id}/disable").status_code == 200, "asked twice"
    assert old.get("/api/me").status_code == 401
    assert api.post("/login", json=login).status_code == 401

    assert client.post(f"{PEOPLE}/{ada.id}/enable").get_json()["disabled_at"] is None
    assert old.get("/api/me").status_code == 401, "what was ended stays ended"
    again = ApiClient(api.app, api.post("/login", json=login).get_json()["token"])
    assert again.get("/api/me").status_code == 200
    client.post(f"{PEOPLE}/{ada.id}/logout")
    assert again.get("/api/me").status_code == 401
    assert api.post("/login", json=login).status_code == 200


def test_a_role_that_is_taken_away_is_gone_at_the_next_request(
    as_user: AsUser, chief: Account, make_user: MakeUser
) -> None:
    noor = make_user(role="organiser")
    client = as_user(noor)
    assert client.get("/api/admin/competitions").status_code == 200

    changed = as_user(chief).post(f"{PEOPLE}/{noor.id}/role", json={"role": "voter"})

    assert changed.get_json()["role"] == "voter"
    assert client.get("/api/admin/competitions").status_code == 403
    assert as_user(chief).post(f"{PEOPLE}/{noor.id}/role", json={"role": "king"}).status_code == 422
    assert as_user(chief).post(f"{PEOPLE}/999/role", json={"role": "voter"}).status_code == 404


def test_an_admin_always_stays(as_user: AsUser, chief: Account, make_user: MakeUser, owner: Database) -> None:
    client = as_user(chief)
    second = make_user(role="admin")

    for path, body in (("disable", None), ("role", {"role": "voter"})):
        assert client.post(f"{PEOPLE}/{chief.id}/{path}", json=body).status_code == 409, "not to oneself"
    assert client.post(f"{PEOPLE}/{chief.id}/role", json={"role": "admin"}).status_code == 200, "nothing changes"
    assert client.post(f"{PEOPLE}/{second.id}/disable").status_code == 200
    with pytest.raises(Conflict, match="only admin"):
        actions.disable(owner, chief.id, by="vote admin")
    with pytest.raises(Conflict, match="only admin"):
        actions.set_role(owner, chief.id, role="organiser", by="vote admin")
    with pytest.raises(NotFound):
        actions.log_out(owner, 999, by="vote admin")


def test_the_dashboard_asks_once_says_what_happens_and_what_was_done(
    dashboard: Browser, chief: Account, make_user: MakeUser
) -> None:
    ada = make_user(username="ada", password=PASSWORD)
    page = f"/admin/people/{ada.id}"

    assert f'href="{page}"' in dashboard.get("/admin/people?search=ad").text
    assert "within a second" in dashboard.get(f"{page}/disable").text
    assert dashboard.submit(page, f"{page}/disable").location == f"{page}?done=disable"
    told = dashboard.get(f"{page}?done=disable").text
    assert "The account is disabled" in told
    assert "logged it out everywhere" in told
    assert "disabled it" in told
    assert dashboard.get(f"{page}/disable").location == page, "there is nothing to disable"
    assert dashboard.submit(page, f"{page}/enable").status_code == 303
    assert dashboard.submit(page, f"{page}/role", role="organiser").location == f"{page}?done=role"
    assert "changed the role: voter → organiser" in dashboard.get(page).text
    assert dashboard.submit(page, f"{page}/role", role="king").status_code == 422
    assert "The account is disabled" not in dashboard.get(f"{page}?done=disable").text, "it is enabled again"
    assert "They can log in again." in dashboard.get(f"{page}?done=enable").text
    assert "your own account" in dashboard.get(f"/admin/people/{chief.id}").text
    assert dashboard.get("/admin/people/999").status_code == 404


def test_what_nobody_may_do_to_themselves_is_refused_before_it_is_asked_about(
    dashboard: Browser, chief: Account
) -> None:
    page = f"/admin/people/{chief.id}"

    asked, taken = dashboard.get(f"{page}/disable"), dashboard.submit("/admin", f"{page}/disable")

    for answer in (asked, taken):
        assert answer.status_code == 409
        assert "You cannot do this to your own account. Ask another admin." in answer.text
        assert "Disable this account?" not in answer.text
    assert f'href="{page}/' not in dashboard.get(page).text, "no step is offered"
    assert "Log this account out everywhere?" in dashboard.get(f"{page}/logout").text, "this one is not refused"


def test_every_act_is_in_the_audit_log_with_the_admins_name(
    as_user: AsUser, chief: Account, make_user: MakeUser, owner: Database
) -> None:
    ada = make_user()
    client = as_user(chief)
    for path, body in (("role", {"role": "organiser"}), ("disable", None), ("enable", None), ("logout", None)):
        assert client.post(f"{PEOPLE}/{ada.id}/{path}", json=body).status_code == 200

    with owner.read() as tx:
        rows = tx.execute(
            "SELECT actor, action, after ? 'role', after ? 'disabled_at' FROM audit_log"
            " WHERE subject = 'users' AND subject_id = %s AND actor LIKE 'user:%%' ORDER BY id",
            (str(ada.id),),
        ).fetchall()

    by = f"user:{chief.id}"
    assert rows == [
        (by, "update", True, False),
        (by, "update", False, True),
        (by, "log out", None, None),
        (by, "update", False, True),
        (by, "log out", None, None),
    ]
