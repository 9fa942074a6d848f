"""The gate: forged forms, dead and broken tokens. Who may do what is tried cell by cell in `test_access_table.py`."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.integration.clients import HTTPS, ApiClient, Browser
from vote.db.users import Account
from vote.services.container import Services
from vote.web import access
from vote.web.access import ORGANISER, PUBLIC, UNASKED

PASSWORD = "Pass123!"


def test_every_route_keeps_its_rule(
    app: Flask, make_user: Callable[..., Account], as_user: Callable[[Account], ApiClient], subtests: pytest.Subtests
) -> None:
    nobody, voter = ApiClient(app), as_user(make_user())
    broken = ApiClient(app, "x.y.z")
    table = access.table_of(app)

    for url in app.url_map.iter_rules():
        rule = table[url.endpoint]
        values = {
            name: ("disable" if "people" in url.rule else "open") if name == "name" else 1 for name in url.arguments
        }
        path = url_of(app, url.endpoint, values)
        for method in sorted((url.methods or set()) - {"HEAD", "OPTIONS"}):
            with subtests.test(f"{method} {path} ({rule.name})"):
                anonymous = nobody(method, path).status_code
                if rule in (UNASKED, PUBLIC):
                    assert anonymous != 403
                    assert anonymous != 401 or path == "/logout"
                else:
                    assert anonymous == 401
                if rule is not UNASKED:
                    assert broken(method, path).status_code == 401
                if rule is ORGANISER:
                    assert voter(method, path).status_code == 403


def url_of(app: Flask, endpoint: str, values: dict[str, object]) -> str:
    with app.test_request_context():
        return app.url_for(endpoint, **values)


# --- who is it ---------------------------------------------------------------------------------------------------------
BROKEN = ["Bearer", "Bearer ", "Bearer x", "bearer a.b.c", "Basic YTpi", "x", "", "Bearer \xff"]


def test_a_broken_token_is_refused_everywhere(api: ApiClient, subtests: pytest.Subtests) -> None:
    for header in BROKEN:
        for path in ("/api/competitions", "/api/me", "/"):
            with subtests.test(header, path=path):
                answer = api.get(path, headers={"Authorization": header})

                assert answer.status_code == 401
                assert answer.content_type == "application/problem+json"
                assert answer.headers["WWW-Authenticate"]


def test_a_disabled_account_is_logged_out(
    services: Services, make_user: Callable[..., Account], as_user: Callable[[Account], ApiClient], browser: Browser
) -> None:
    account, _ = make_user(role="admin", password=PASSWORD), make_user(role="admin")
    browser.log_in(account)
    with services.db.transaction(by="tests") as tx:
        tx.execute("UPDATE users SET disabled_at = now() WHERE id = %s", (account.id,))

    assert browser.get("/api/me").status_code == 401
    assert as_user(make_user()).get("/api/me").status_code == 200
    assert as_user(account).get("/api/admin/competitions").status_code == 401


def test_a_role_counts_from_the_next_request_on(
    services: Services, make_user: Callable[..., Account], as_user: Callable[[Account], ApiClient]
) -> None:
    account = make_user()
    client = as_user(account)
    assert client.get("/api/admin/competitions").status_code == 403

    with services.db.transaction(by="tests") as tx:
        tx.execute("UPDATE users SET role = 'organiser' WHERE id = %s", (account.id,))

    assert client.get("/api/admin/competitions").status_code == 200


# --- forged forms ------------------------------------------------------------------------------------------------------
FORMS = ["/login", "/register", "/logout", "/account/password", "/account/delete", "/account/logout-everywhere"]


def test_a_form_without_its_token_is_refused(
    browser: Browser, make_user: Callable[..., Account], subtests: pytest.Subtests
) -> None:
    browser.log_in(make_user(password=PASSWORD))

    for path in FORMS:
        for fields in (
            {},
            {"csrf_token": ""},
            {"csrf_token": "0" * 64},
            {"csrf_token": "0" * 128},
            {"csrf_token": "ü"},
        ):
            with subtests.test(path=path, fields=fields):
                answer = browser.send(path, fields)

                assert answer.status_code == 403
                assert "Reload the page" in answer.text
                assert "log in with an account" not in answer.text, "another account would not help"
    assert browser.get("/api/me").status_code == 200


def test_the_token_of_another_session_is_refused(
    app: Flask, browser: Browser, make_user: Callable[..., Account]
) -> None:
    browser.log_in(make_user(password=PASSWORD))
    stranger = Browser(app).token_of("/login")

    assert browser.send("/logout", {"csrf_token": stranger}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": HTTPS},
    ],
)
def test_a_form_from_elsewhere_is_refused_even_with_the_token(browser: Browser, headers: dict[str, str]) -> None:
    token = browser.token_of("/login")

    answer = browser.send("/login", {"csrf_token": token, "username": "a", "password": "b"}, headers=headers)

    assert answer.status_code == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://localhost.evil.example", "https://localhost:8443"]
)
def test_another_origin_is_refused_where_there_is_no_fetch_metadata(browser: Browser, origin: str) -> None:
    token = browser.token_of("/login")

    answer = browser.client.post(
        "/login",
        base_url=HTTPS,
        data={"csrf_token": token, "username": "a", "password": "b"},
        headers={"Origin": origin},
    )

    assert answer.status_code == 403


def test_a_script_of_ours_sends_the_token_in_a_header(browser: Browser, make_user: Callable[..., Account]) -> None:
    browser.log_in(make_user(password=PASSWORD))
    token = browser.token_of("/account")

    sure = {"base_url": HTTPS, "json": {"password": PASSWORD}}
    refused = browser.client.delete("/api/me", headers=browser.headers, **sure)
    erased = browser.client.delete("/api/me", headers={**browser.headers, "X-CSRF-Token": token}, **sure)

    assert refused.status_code == 403
    assert refused.content_type == "application/problem+json"
    assert erased.status_code == 204


def test_a_session_works_for_the_admin_api_with_the_token(browser: Browser, make_user: Callable[..., Account]) -> None:
    browser.log_in(make_user(role="organiser", password=PASSWORD))
    question = {"name": "Q", "options": ["A", "B"]}

    token = {"X-CSRF-Token": browser.token_of("/account")}
    refused = browser.client.post("/api/admin/competitions", base_url=HTTPS, json=question, headers=browser.headers)
    made = browser.client.post(
        "/api/admin/competitions", base_url=HTTPS, json=question, headers={**browser.headers, **token}
    )

    assert refused.status_code == 403
    assert made.status_code == 201


# --- what answers say of themselves --------------------------------------------------------------------------------------
def test_pages_are_not_kept(browser: Browser, make_user: Callable[..., Account]) -> None:
    browser.log_in(make_user(password=PASSWORD))

    assert browser.get("/account").headers["Cache-Control"] == "no-store"


def test_a_page_without_a_form_gives_a_stranger_no_cookie(browser: Browser) -> None:
    assert "Set-Cookie" not in browser.get("/").headers


def test_a_stranger_is_sent_to_log_in_and_back(browser: Browser) -> None:
    assert browser.get("/account").location == "/login?next=/account"
    assert browser.get("/account?done=password").location == "/login?next=/account?done%3Dpassword"
