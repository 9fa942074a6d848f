"""How long a login lives: 30 minutes idle, 24 hours in all, and not a second longer than somebody ends it."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.integration.clients import HTTPS, ApiClient, Browser, wait_until
from vote.actions import account_administration
from vote.app import create_app
from vote.auth import create_jwt_token
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.services.container import Services

PASSWORD = "Pass123!"
MINUTE = 60


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands still until it is moved. The servers keep their own, so it begins a little after theirs."""
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1), tick=False) as traveller:
        yield traveller


@pytest.fixture
def second(settings: Settings) -> Iterator[Services]:
    """The parts of another process."""
    services = Services.from_settings(settings)
    services.start()
    yield services
    services.close()


@pytest.mark.parametrize(("idle", "status"), [(29 * MINUTE + 59, 200), (30 * MINUTE + 1, 401)])
def test_a_session_ends_after_half_an_hour_idle(
    browser: Browser, make_user: Callable[..., Account], clock: time_machine.Traveller, idle: int, status: int
) -> None:
    browser.log_in(make_user(password=PASSWORD))

    clock.shift(timedelta(seconds=idle))

    assert browser.get("/api/me").status_code == status


def test_every_request_begins_the_half_hour_anew(
    browser: Browser, make_user: Callable[..., Account], clock: time_machine.Traveller
) -> None:
    browser.log_in(make_user(password=PASSWORD))

    for path in ("/", "/api/me", "/account"):
        clock.shift(timedelta(minutes=29))
        assert browser.get(path).status_code == 200

    clock.shift(timedelta(seconds=30 * MINUTE + 1))
    assert browser.get("/api/me").status_code == 401


def test_a_session_ends_after_a_day_however_busy(
    browser: Browser, make_user: Callable[..., Account], clock: time_machine.Traveller
) -> None:
    browser.log_in(make_user(password=PASSWORD))
    for _ in range(2 * 24):
        clock.shift(
            timedelta(minutes=29, seconds=50)
        )  # PostgreSQL's clock, by which it began, is a minute behind this one
        assert browser.get("/api/me").status_code == 200

    clock.shift(timedelta(minutes=8))

    assert browser.get("/api/me").status_code == 401


def test_who_was_away_is_sent_to_log_in_and_comes_back(
    browser: Browser, make_user: Callable[..., Account], clock: time_machine.Traveller
) -> None:
    account = make_user(password=PASSWORD)
    browser.log_in(account)
    clock.shift(timedelta(hours=2))

    sent = browser.get("/account")
    assert sent.status_code == 303
    answer = browser.submit(sent.location, "/login", username=account.username, password=PASSWORD, next="/account")

    assert answer.location == "/account"
    assert browser.get("/account").status_code == 200


def test_a_session_of_a_stranger_is_no_login(browser: Browser) -> None:
    browser.client.set_cookie("__Host-session", "eyJ1aWQiOjF9.aaaa.bbbb", secure=True)

    assert browser.get("/api/me").status_code == 401
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(("hours", "status"), [(23.99, 200), (24, 401)])
def test_a_token_lives_a_day(
    api: ApiClient, services: Services, make_user: Callable[..., Account], hours: float, status: int
) -> None:
    token = create_jwt_token(make_user().id, secret=services.settings.jwt_secret, now=time.time() - hours * 3600)

    assert ApiClient(api.app, token).get("/api/me").status_code == status


# --- across processes ----------------------------------------------------------------------------------------------------
def test_a_token_is_dead_in_every_process_within_a_second(voter: ApiClient, second: Services) -> None:
    elsewhere = ApiClient(create_app(second), voter.headers["Authorization"].removeprefix("Bearer "))
    assert elsewhere.get("/api/me").status_code == 200

    voter.post("/logout")

    wait_until(lambda: elsewhere.get("/api/me").status_code == 401, seconds=5)


def test_a_session_is_dead_in_every_process_within_a_second(
    browser: Browser, second: Services, make_user: Callable[..., Account]
) -> None:
    browser.log_in(make_user(password=PASSWORD))
    elsewhere = Browser(create_app(second))
    cookie = browser.client.get_cookie("__Host-session")
    assert cookie is not None
    elsewhere.client.set_cookie("__Host-session", cookie.value, secure=True)
    assert elsewhere.get("/api/me").status_code == 200

    browser.submit("/account", "/logout")

    wait_until(lambda: elsewhere.get("/api/me").status_code == 401, seconds=5)


def test_logging_out_everywhere_ends_all_of_it(
    browser: Browser, second: Services, make_user: Callable[..., Account], api: ApiClient
) -> None:
    account = make_user(password=PASSWORD)
    browser.log_in(account)
    other = Browser(create_app(second))
    other.log_in(account)
    login = api.post("/login", json={"username": account.username, "password": PASSWORD})
    token = ApiClient(api.app, login.get_json()["token"])
    assert token.get("/api/me").status_code == 200

    assert browser.submit("/account", "/account/logout-everywhere").status_code == 303

    assert browser.get("/api/me").status_code == 401
    assert token.get("/api/me").status_code == 401
    wait_until(lambda: other.get("/api/me").status_code == 401, seconds=5)


def test_sessions_of_the_previous_key_still_count(
    browser: Browser, settings: Settings, make_user: Callable[..., Account]
) -> None:
    browser.log_in(make_user(password=PASSWORD))
    cookie = browser.client.get_cookie("__Host-session")
    assert cookie is not None
    rotated = settings.model_copy(
        update={
            "flask_secret_key": "a-new-key-0123456789abcdefghijklmn",
            "flask_secret_key_previous": settings.flask_secret_key,
        }
    )
    services = Services.from_settings(rotated)
    services.start()
    try:
        after = Browser(create_app(services))
        after.client.set_cookie("__Host-session", cookie.value, secure=True)

        assert after.get("/api/me").status_code == 200
        assert (
            after.client.post(
                "/logout",
                base_url=HTTPS,
                headers=after.headers,
                data={"csrf_token": browser.token_of("/account")},
            ).status_code
            == 303
        )
    finally:
        services.close()


# --- a login that is under way -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("via", ["token", "session"])
@pytest.mark.parametrize("what", ["disable", "log_out"])
def test_what_is_ended_while_a_password_is_looked_at_stays_ended(
    api: ApiClient,
    browser: Browser,
    services: Services,
    owner: Database,
    make_user: Callable[..., Account],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    via: str,
) -> None:
    """Hashing takes a third of a second: an admin may disable the account, or end its logins, in the middle of it."""
    account = make_user(password=PASSWORD)
    login = {"username": account.username, "password": PASSWORD}
    form = {"csrf_token": browser.token_of("/login"), **login}
    verify = services.hasher.verify

    def verify_slowly(password: str, stored: str | None) -> bool:
        right = verify(password, stored)
        getattr(account_administration, what)(owner, account.id, by="tests")
        return right

    monkeypatch.setattr(services.hasher, "verify", verify_slowly)
    client: Browser | ApiClient = browser
    if via == "token":
        client = ApiClient(api.app, api.post("/login", json=login).get_json()["token"])
    else:
        assert browser.send("/login", form).status_code == 303
    account_administration.enable(owner, account.id, by="tests")
    services.revocations.refresh()

    assert client.get("/api/me").status_code == 401
