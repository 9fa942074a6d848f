"""How errors are told: to whom in which form, with an id to quote, and never a 500 for what somebody sent."""

import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from flask import Flask
from structlog.testing import capture_logs

from tests.integration.clients import HTTPS, PASSWORD, ApiClient, Browser
from tests.servers import Pair
from vote.app import create_app
from vote.db.users import Account
from vote.services.container import Services
from vote.web import errors
from vote.web.api import receipts
from vote.web.errors import render_error_page


def test_a_client_gets_a_problem_and_a_browser_a_page(api: ApiClient, browser: Browser) -> None:
    problem, page = api.get("/nothing"), browser.get("/nothing")

    assert (problem.status_code, page.status_code) == (404, 404)
    assert problem.content_type == "application/problem+json"
    assert problem.get_json().keys() == {"type", "title", "status", "detail", "request_id"}
    assert page.mimetype == "text/html"
    assert "There is nothing at this address." in page.text
    assert browser.get("/api/nothing").content_type == "application/problem+json"


def test_the_id_of_the_front_door_is_quoted(api: ApiClient) -> None:
    ours = {"X-Request-ID": "0123abc-DEF"}

    assert api.get("/nothing", headers=ours).get_json()["request_id"] == "0123abc-DEF"
    assert "<" not in api.get("/nothing", headers={"X-Request-ID": "<script>"}).get_json()["request_id"]
    assert len(api.get("/nothing").get_json()["request_id"]) == 32


def test_another_method_is_told_which_ones_there_are(api: ApiClient) -> None:
    answer = api("PUT", "/api/competitions")

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert answer.content_type == "application/problem+json"


def test_what_nobody_foresaw_is_logged_and_not_told(
    app: Flask, api: ApiClient, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_services: Services, _code: str) -> None:
        secret = "hunter2"  # a local variable must not be in the log
        raise ZeroDivisionError("about " + str(len(secret)))

    monkeypatch.setattr(receipts, "status_of", break_down)
    with capture_logs() as lines:
        answer = api.get("/api/receipts/x", headers={"X-Request-ID": "an-id"})

    assert answer.status_code == 500
    assert answer.get_json()["request_id"] == "an-id"
    assert "ZeroDivision" not in answer.text
    [line] = [line for line in lines if line["event"] == "unexpected"]
    assert line["request_id"] == "an-id"
    assert isinstance(line["exc_info"], ZeroDivisionError)  # tests/unit/test_stack_traces.py: what of it is written


JUNK = [
    ("application/json", b"{"),
    ("application/json", b""),
    ("application/json", b"[]"),
    ("application/json", b"null"),
    ("application/json", b"\xff\xfe\x00"),
    ("application/json", b'{"name": NaN}'),
    ("application/json", b'{"name": ' + b"9" * 5000 + b"}"),
    ("application/json", b"[" * 30000),
    ("application/json", b'{"username": "\\ud800", "password": "\\ud800", "name": "\\ud800", "options": ["\\ud800"]}'),
    (
        "application/json",
        b'{"username": "\\u0000", "password": "\\u0000", "name": "\\u0000", "options": ["\\u0000", "b"]}',
    ),
    ("application/json", b'{"name": {"a": 1}, "options": {"a": 1}, "username": [], "password": {}}'),
    ("application/json", b'{"name": "Q", "options": [null, 1], "opens_at": 1e999, "closes_at": -1e999}'),
    ("application/json; charset=klingon", b'{"name": "\xe4"}'),
    ("application/x-www-form-urlencoded", b"username=%00&password=%00&name=%00&option_a=%00&option_b=%ff"),
    ("application/x-www-form-urlencoded", b"username=%ff%fe&password=%ff&email=%ff"),
    ("application/x-www-form-urlencoded", b"&=&&==" * 500),
    ("application/x-www-form-urlencoded", b"a=1&" * 5000),
    ("multipart/form-data", b"x"),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"),
    (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="username"; filename="x"\r\n\r\nx\r\n--b--',
    ),
    ("multipart/form-data; boundary=b", b"--b\r\n" * 500),
    ("text/plain", b"x"),
    ("", b"x"),
    ("x" * 300, b"x"),
    ("application/json", b"x" * 100_000),
]


def test_nothing_somebody_sends_is_a_500(
    api: ApiClient, admin: ApiClient, browser: Browser, make_user: Callable[..., Account], subtests: pytest.Subtests
) -> None:
    browser.log_in(make_user(role="admin", password=PASSWORD))
    token = {"X-CSRF-Token": browser.token_of("/account"), "Sec-Fetch-Site": "same-origin"}
    number = admin.post("/api/admin/competitions", json={"name": "Q", "options": ["A", "B"]}).get_json()["id"]
    calls = [
        ("POST", "/register"),
        ("POST", "/login"),
        ("POST", "/account/password"),
        ("POST", "/account/delete"),
        ("POST", "/api/admin/competitions"),
        ("PATCH", f"/api/admin/competitions/{number}"),
        ("POST", f"/api/admin/competitions/{number}/open"),
    ]
    for content_type, body in JUNK:
        for method, path in calls:
            with subtests.test(f"{method} {path} {content_type[:40]} {body[:30]!r}"):
                headers = {"If-Match": "*"}
                by_client = admin(method, path, data=body, content_type=content_type, headers=headers)
                by_browser = browser.client.open(
                    path,
                    method=method,
                    base_url=HTTPS,
                    data=body,
                    content_type=content_type,
                    headers={**headers, **token},
                )
                assert by_client.status_code in (200, 400, 401, 413, 415, 422), by_client.text
                assert by_browser.status_code in (200, 400, 401, 403, 413, 415, 422), by_browser.text
    assert api.get(f"/api/competitions/{number}").get_json()["name"] == "Q"


TWICE = [
    ("application/json", b'{"username": "ada", "username": "bob", "password": "Pass123!"}', 400),
    ("application/x-www-form-urlencoded", b"username=ada&username=bob&password=Pass123!", 422),
    ("application/x-www-form-urlencoded", b"username=ada&password=x&password=y", 422),
]


@pytest.mark.parametrize(("content_type", "body", "status"), TWICE)
def test_a_field_that_comes_twice_is_refused(api: ApiClient, content_type: str, body: bytes, status: int) -> None:
    """And a field of the address is none of the body."""
    assert api("POST", "/login", data=body, content_type=content_type).status_code == status
    elsewhere = api("POST", "/login?username=ada&password=Pass123!", data=b"{}", content_type="application/json")
    assert elsewhere.get_json()["errors"].keys() == {"username", "password"}


@pytest.mark.parametrize("body", [b"--b\r\n[]--b--\r\n", b"vote=a", b"--c\r\n\r\n--c--"])
def test_a_form_that_cannot_be_read_is_not_an_empty_one(admin: ApiClient, body: bytes) -> None:
    number = admin.post("/api/admin/competitions", json={"name": "Q", "options": ["A", "B"]}).get_json()["id"]

    told = admin.post(
        f"/api/admin/competitions/{number}/close", data=body, content_type="multipart/form-data; boundary=b"
    )

    assert (told.status_code, told.content_type) == (400, "application/problem+json")
    assert "boundary" in told.get_json()["detail"]
    assert admin.get(f"/api/admin/competitions/{number}").get_json()["state"] == "open"


def test_odd_addresses_are_no_500(api: ApiClient, browser: Browser, subtests: pytest.Subtests) -> None:
    for path in [
        "/%00",
        "/%ff",
        "/login?next=%00",
        "/login?next=%ff&next=//x",
        "/account?done=%00",
        "/static/../../app.py",
        "/static/%00",
        "/vote/%00",
        "/results/99999999999999999999",
        "/" + "a" * 5000,
        "//evil.example/login",
    ]:
        for client in (api, browser):
            with subtests.test(f"{path[:40]} {type(client).__name__}"), client.get(path) as answer:
                assert answer.status_code in (200, 303, 308, 401, 404)
                assert urlsplit(answer.location or "").netloc in ("", "localhost")


def test_with_the_database_down_pages_say_so(
    api: ApiClient, browser: Browser, servers: Pair, make_user: Callable[..., Account]
) -> None:
    browser.log_in(make_user(password=PASSWORD))
    servers.kill_database()
    try:
        problem, page = api.get("/api/competitions"), browser.get("/account")
        login = api.post("/login", json={"username": "ada", "password": PASSWORD})
    finally:
        servers.restart_database()

    assert problem.status_code == page.status_code == login.status_code == 503
    assert problem.headers["Retry-After"] == page.headers["Retry-After"] == "1"
    assert page.mimetype == "text/html"


def test_before_it_is_known_who_was_logged_out_nobody_is_let_in(services: Services, voter: ApiClient) -> None:
    fresh = Services.from_settings(services.settings)
    try:
        client = ApiClient(create_app(fresh), voter.headers["Authorization"].removeprefix("Bearer "))

        assert client.get("/api/me").status_code == 503
        assert ApiClient(create_app(fresh)).get("/api/competitions").status_code == 200
    finally:
        fresh.close()


def test_the_front_door_gets_its_error_page_in_any_thread(
    app: Flask, browser: Browser, make_user: Callable[..., Account]
) -> None:
    account = make_user(password=PASSWORD)
    browser.log_in(account)
    cookie = browser.client.get_cookie("__Host-session")
    assert cookie is not None
    pages: list[bytes] = []

    def render(cookie: str) -> None:
        pages.append(
            render_error_page(
                app,
                status=503,
                detail="Not confirmed <now>.",
                request_id="an-id",
                back="/vote/1",
                safe="Your vote may be stored or not.",
                cookie=cookie,
            )
        )

    for header in (f"__Host-session={cookie.value}", "__Host-session=x; \xff", ""):
        thread = threading.Thread(target=render, args=[header])
        thread.start()
        thread.join()

    assert len(pages) == 3
    for page in pages:
        text = page.decode("utf-8")
        assert "Not confirmed &lt;now&gt;." in text
        assert "an-id" in text
        assert 'href="/vote/1"' in text
        assert "Your vote may be stored or not." in text
    assert account.username in pages[0].decode()
    assert account.username not in pages[1].decode()


def test_where_somebody_came_from_is_only_a_page_of_ours(browser: Browser) -> None:
    ours = browser.client.get("/nothing", base_url=HTTPS, headers={**browser.headers, "Referer": HTTPS + "/receipts"})
    strange = browser.client.get(
        "/nothing", base_url=HTTPS, headers={**browser.headers, "Referer": "https://evil.example/receipts"}
    )

    assert 'class="button primary" href="/receipts"' in ours.text
    assert "button primary" not in strange.text
    assert "evil.example" not in strange.text


def test_every_error_has_a_sentence(subtests: pytest.Subtests) -> None:
    for status, sentence in errors.SENTENCES.items():
        with subtests.test(str(status)):
            assert sentence.endswith(".")
            assert "invalid" not in sentence.lower()
