"""Registering, logging in and out, by API client and by browser."""

import re
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from structlog.testing import capture_logs

import vote.web
from tests.integration.web.conftest import ApiClient, Browser
from vote.app import create_app
from vote.auth import create_jwt_token
from vote.config import Settings
from vote.db.users import Account
from vote.edge.parts import Parts

PERSON = {
    "username": "Ada.L-1",
    "email": "test@example.com",
    "password": "Pass123!",
    "confirm_password": "Pass123!",
}
SCRIPTS = Path(vote.web.__file__).with_name("static") / "js"
TYPED = {name: value for name, value in PERSON.items() if "password" not in name}


# --- API clients -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "form", [{"json": PERSON}, {"data": PERSON}, {"data": PERSON, "content_type": "multipart/form-data"}]
)
def test_a_client_registers_and_is_known_by_the_token(
    api: ApiClient, settings: Settings, form: dict[str, object]
) -> None:
    answer = api("POST", "/register", **form)

    assert answer.status_code == 201
    assert answer.json is not None
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 86400
    assert answer.json["user"]["username"] == "Ada.L-1"
    assert answer.json["user"]["role"] == "voter"
    assert "password" not in answer.text
    assert "Set-Cookie" not in answer.headers
    claims = jwt.decode(answer.json["token"], settings.jwt_secret, algorithms=["HS256"], audience="vote-app")
    assert claims["sub"] == str(answer.json["user"]["id"])
    me = api.get("/api/me", headers={"Authorization": f"Bearer {answer.json['token']}"})
    assert me.status_code == 200
    assert me.json == answer.json["user"]


def test_a_wrong_field_has_a_sentence_of_its_own(api: ApiClient) -> None:
    answer = api.post("/register", json={**PERSON, "username": "ab", "role": "admin"})

    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert answer.json["errors"].keys() == {"username", "role"}
    assert answer.json["request_id"]


@pytest.mark.parametrize(
    ("taken", "field"),
    [
        ({"username": "ADA.l-1", "email": "x@example.com"}, "username"),
        ({"username": "bob", "email": "TEST@example.com"}, "email"),
    ],
)
def test_a_name_and_an_address_are_taken_in_any_case(api: ApiClient, taken: dict[str, str], field: str) -> None:
    assert api.post("/register", json=PERSON).status_code == 201

    answer = api.post("/register", json={**PERSON, **taken})

    assert answer.status_code == 409
    assert answer.json is not None
    assert answer.json["errors"].keys() == {field}


def test_login_gives_a_token(api: ApiClient) -> None:
    api.post("/register", json=PERSON)

    answer = api.post("/login", json={"username": "ada.L-1", "password": "Pass123!"})

    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json.keys() == {"token", "token_type", "expires_in"}
    assert "Set-Cookie" not in answer.headers


def test_every_wrong_login_gets_the_same_answer(
    api: ApiClient, parts: Parts, make_user: Callable[..., Account], subtests: pytest.Subtests
) -> None:
    make_user(username="ada", password="Pass123!")
    off = make_user(username="disabled", password="Pass123!")
    with parts.db.transaction(by="tests") as tx:
        tx.execute("UPDATE users SET disabled_at = now() WHERE id = %s", (off.id,))
    wrong = [
        ("ada", "Pass123?"),
        ("ada", ""),
        ("ada", "Pass123!" * 1000),
        ("nobody", "Pass123!"),
        ("", "Pass123!"),
        ("ada\0", "Pass123!"),
        ("disabled", "Pass123!"),
        ("a" * 5000, "Pass123!"),
    ]

    for name, password in wrong:
        with subtests.test(name=name[:20], password=password[:20]):
            answer = api.post("/login", json={"username": name, "password": password})

            assert answer.status_code == 401
            assert answer.json is not None
            assert answer.json["detail"] == "User name or password is wrong."
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_that_is_dead_does_not_stand_in_the_way_of_a_login(api: ApiClient) -> None:
    api.post("/register", json=PERSON)

    answer = api.post(
        "/login", json={"username": "Ada.L-1", "password": "Pass123!"}, headers={"Authorization": "Bearer x.y.z"}
    )

    assert answer.status_code == 200


def test_logout_ends_the_token(voter: ApiClient) -> None:
    assert voter.get("/api/me").status_code == 200

    answer = voter.post("/logout")

    assert answer.status_code == 204
    assert answer.data == b""
    assert voter.get("/api/me").status_code == 401
    assert voter.post("/logout").status_code == 401


def test_every_coming_and_going_is_written_down(api: ApiClient) -> None:
    with capture_logs() as lines:
        registered = api.post("/register", json=PERSON).json
        api.post("/login", json={"username": "Ada.L-1", "password": "wrong"})
        token = api.post("/login", json={"username": "Ada.L-1", "password": "Pass123!"}).json["token"]
        ApiClient(api.app, token).post("/logout")

    told = [(line["event"], line.get("user_id")) for line in lines]
    ada = registered["user"]["id"]
    assert told == [("registered", ada), ("login refused", None), ("logged in", ada), ("logged out", ada)]
    assert lines[1]["request_id"]


def test_logout_of_nobody_is_refused(api: ApiClient) -> None:
    assert api.post("/logout").status_code == 401


def test_a_token_made_right_after_everything_was_ended_is_alive(
    api: ApiClient, parts: Parts, make_user: Callable[..., Account]
) -> None:
    account = make_user(password="Pass123!")
    login = {"username": account.username, "password": "Pass123!"}
    first = ApiClient(api.app, api.post("/login", json=login).json["token"])

    assert first.post("/account/logout-everywhere").status_code == 204
    second = ApiClient(api.app, api.post("/login", json=login).json["token"])

    parts.revoked.refresh()
    assert second.get("/api/me").status_code == 200
    assert first.get("/api/me").status_code == 401


# --- browsers ----------------------------------------------------------------------------------------------------------
def test_a_browser_registers_and_is_logged_in(browser: Browser) -> None:
    answer = browser.submit("/register", "/register", **PERSON)

    assert answer.status_code == 303
    assert answer.location == "/"
    assert browser.get("/api/me").json["username"] == "Ada.L-1"


def test_what_was_typed_stays_but_not_the_password(browser: Browser) -> None:
    answer = browser.submit("/register", "/register", **{**PERSON, "email": "<ada>", "confirm_password": "else"})

    assert answer.status_code == 422
    assert 'value="Ada.L-1"' in answer.text
    assert 'value="&lt;ada&gt;"' in answer.text
    assert "name@example.org" in answer.text
    assert "not the same" in answer.text
    assert "Pass123!" not in answer.text


def test_a_taken_name_is_said_beside_the_field(browser: Browser, make_user: Callable[..., Account]) -> None:
    make_user(username="Ada.L-1")

    answer = browser.submit("/register", "/register", **PERSON)

    assert answer.status_code == 409
    assert "in use" in answer.text


def test_a_wrong_login_is_said_on_the_form(browser: Browser, make_user: Callable[..., Account]) -> None:
    account = make_user(password="Pass123!")

    answer = browser.submit("/login", "/login", username=account.username, password="wrong", next="/vote/7?choice=a")

    assert answer.status_code == 401
    assert "User name or password is wrong." in answer.text
    assert f'value="{account.username}"' in answer.text
    assert "/vote/7?choice=a" in answer.text


def test_a_login_begins_another_session(browser: Browser, make_user: Callable[..., Account]) -> None:
    account = make_user(password="Pass123!")
    browser.get("/login")
    with browser.client.session_transaction(base_url="https://localhost") as session:
        planted = session["sid"]

    browser.log_in(account)

    with browser.client.session_transaction(base_url="https://localhost") as session:
        assert session["sid"] != planted
        assert session["uid"] == account.id


def test_a_login_ends_the_session_that_was_there(browser: Browser, make_user: Callable[..., Account]) -> None:
    account = make_user(password="Pass123!")
    browser.log_in(account)
    before = browser.client.get_cookie("__Host-session")
    assert before is not None

    again = browser.submit("/account", "/login", username=account.username, password="Pass123!")

    assert again.status_code == 303
    assert browser.get("/api/me").status_code == 200
    browser.client.set_cookie("__Host-session", before.value, secure=True)
    assert browser.get("/api/me").status_code == 401


def test_the_session_cookie_is_guarded(browser: Browser) -> None:
    cookie = browser.get("/login").headers["Set-Cookie"]

    assert cookie.startswith("__Host-session=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert f"; {attribute}" in cookie
    assert "Expires" not in cookie


def test_who_is_logged_in_is_sent_on(browser: Browser, make_user: Callable[..., Account]) -> None:
    browser.log_in(make_user(password="Pass123!"))

    assert browser.get("/login?next=/vote/1").location == "/vote/1"
    assert browser.get("/register").location == "/"


def test_logout_ends_the_session_and_every_copy_of_its_cookie(
    browser: Browser, make_user: Callable[..., Account]
) -> None:
    browser.log_in(make_user(password="Pass123!"))
    copy = browser.client.get_cookie("__Host-session")
    assert copy is not None

    answer = browser.submit("/account", "/logout")

    assert answer.status_code == 303
    assert browser.get("/api/me").status_code == 401
    browser.client.set_cookie("__Host-session", copy.value, secure=True)
    assert browser.get("/api/me").status_code == 401


@pytest.mark.parametrize("form", ["/logout", "/account/logout-everywhere", "/account/delete"])
def test_who_leaves_leaves_nothing_in_the_browser(
    browser: Browser, make_user: Callable[..., Account], form: str
) -> None:
    browser.log_in(make_user(password="Pass123!"))
    fields = {"password": "Pass123!"} if form == "/account/delete" else {}
    assert "Clear-Site-Data" not in browser.get("/account").headers

    answer = browser.submit("/account", form, **fields)

    assert answer.headers["Clear-Site-Data"] == '"storage"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert "__Host-session=;" in answer.headers["Set-Cookie"]


PASSWORD_FIELDS = re.compile(r'<input[^>]*name="[^"]*password"[^>]*>')


def test_password_managers_know_every_password_field(browser: Browser, make_user: Callable[..., Account]) -> None:
    """Masked, named for what it takes, and nothing in the way of pasting (ASVS 5.0 6.2.6 and 6.2.7)."""
    pages = [browser.get("/login").text, browser.get("/register").text]
    browser.log_in(make_user(password="Pass123!"))
    fields = [field for page in [*pages, browser.get("/account").text] for field in PASSWORD_FIELDS.findall(page)]

    assert len(fields) >= 8
    for field in fields:
        is_new = re.search(r'name="(new|confirm)_password"', field) is not None
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(new|current)-password"', field)
        assert not is_new or 'autocomplete="new-password"' in field
        assert "onpaste" not in field
        assert "maxlength" not in field
    scripts = "".join(path.read_text("utf-8") for path in SCRIPTS.glob("*.js"))
    assert '"paste"' not in scripts


def test_next_leads_nowhere_else(browser: Browser, make_user: Callable[..., Account]) -> None:
    account = make_user(password="Pass123!")

    answer = browser.submit("/login", "/login", username=account.username, password="Pass123!", next="//evil.example")

    assert answer.status_code == 303
    assert answer.location == "/"
    assert browser.get("/login?next=https://evil.example/").location == "/"


def test_next_leads_to_a_page_of_ours(browser: Browser, make_user: Callable[..., Account]) -> None:
    account = make_user(password="Pass123!")

    answer = browser.submit("/login", "/login", username=account.username, password="Pass123!", next="/vote/1?choice=b")

    assert answer.location == "/vote/1?choice=b"


def test_a_token_in_a_form_page_is_not_needed_with_bearer(voter: ApiClient, parts: Parts) -> None:
    """A client that keeps cookies and sends a token is asked for no form's token."""
    answer = voter.post("/logout", headers={"Cookie": "__Host-session=x"})

    assert answer.status_code == 204


def test_tokens_of_the_previous_secret_still_count(
    parts: Parts, settings: Settings, make_user: Callable[..., Account]
) -> None:
    account = make_user()
    rotated = settings.model_copy(
        update={"jwt_secret": "another-secret-0123456789abcdefghij", "jwt_secret_previous": settings.jwt_secret}
    )
    fresh = Parts.of(rotated)
    fresh.start()
    try:
        old = ApiClient(create_app(fresh), create_jwt_token(account.id, secret=settings.jwt_secret))
        assert old.get("/api/me").status_code == 200
    finally:
        fresh.close()
