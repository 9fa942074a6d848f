"""Clocks that differ: what was ended stays ended, and what is alive is let in, on hosts up to a second from PostgreSQL."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

import vote
from tests.integration.clients import ApiClient, Browser, wait_until
from vote.actions import account_administration
from vote.app import create_app
from vote.config import Settings
from vote.db import clock
from vote.db.pool import Database
from vote.db.users import Account
from vote.server.probes import readiness
from vote.services.container import Services
from vote.web import request_context

PASSWORD = "Pass123!"


@contextmanager
def host_off_by(seconds: float) -> Iterator[None]:
    """This process as on a host whose clock is so far ahead. PostgreSQL keeps its own."""
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True):
        yield


def token_for(api: ApiClient, account: Account) -> ApiClient:
    answer = api.post("/login", json={"username": account.username, "password": PASSWORD})
    assert answer.status_code == 200
    return ApiClient(api.app, answer.get_json()["token"])


@pytest.mark.parametrize("ahead", [0.9, 60.0])
@pytest.mark.parametrize("via", ["token", "session"])
def test_on_a_host_that_is_ahead_no_login_outlives_the_end_of_all(
    api: ApiClient,
    browser: Browser,
    services: Services,
    owner: Database,
    make_user: Callable[..., Account],
    ahead: float,
    via: str,
) -> None:
    account = make_user(password=PASSWORD)
    with host_off_by(ahead):
        client: ApiClient | Browser = browser
        if via == "token":
            client = token_for(api, account)
        else:
            browser.log_in(account)
        assert client.get("/api/me").status_code == 200

        account_administration.log_out(owner, account.id, by="tests")  # at once, on another host
        services.revocations.refresh()

        assert client.get("/api/me").status_code == 401


def test_on_a_host_that_is_behind_a_fresh_token_counts(
    api: ApiClient, settings: Settings, make_user: Callable[..., Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make_user(password=PASSWORD)
    began = int(time.time()) + 0.2  # early in a second: the token's own has not come yet on the other host
    monkeypatch.setattr(request_context, "began", lambda: began)
    token = token_for(api, account)
    elsewhere = Services.from_settings(settings)
    elsewhere.start()
    try:
        client = ApiClient(create_app(elsewhere), token.headers["Authorization"][7:])
        with time_machine.travel(datetime.fromtimestamp(began - 0.95, UTC), tick=False):
            assert client.get("/api/me").status_code == 200
    finally:
        elsewhere.close()


@pytest.mark.parametrize("off", [-0.9, 0.0, 0.9])
def test_who_logs_in_again_at_once_is_in(
    api: ApiClient, browser: Browser, make_user: Callable[..., Account], off: float
) -> None:
    account = make_user(password=PASSWORD)
    new = "Another-long-1"
    with host_off_by(off):
        browser.log_in(account)
        changed = browser.submit(
            "/account", "/account/password", current_password=PASSWORD, new_password=new, confirm_password=new
        )
        assert changed.status_code == 303, changed.text

        assert browser.get("/api/me").status_code == 200, "the browser that asked stays logged in"
        answer = api.post("/login", json={"username": account.username, "password": new})
        assert ApiClient(api.app, answer.get_json()["token"]).get("/api/me").status_code == 200


def test_only_one_place_tells_a_process_that_all_logins_of_a_person_ended() -> None:
    """It asks PostgreSQL when. Whoever notes it by this host's clock ends the login that comes next."""
    by_hand = re.compile(r"revocations\.add\(f?['\"]user:")
    assert [p.name for p in Path(vote.__file__).parent.rglob("*.py") if by_hand.search(p.read_text())] == ["tokens.py"]


def test_a_session_is_no_strangers_where_the_clock_is_behind(
    browser: Browser, make_user: Callable[..., Account]
) -> None:
    """A host that is behind must not take a fresh cookie for none: it would log out whoever comes to it."""
    browser.log_in(make_user(password=PASSWORD))

    with host_off_by(-1.95):
        assert browser.get("/api/me").status_code == 200
    assert browser.get("/api/me").status_code == 200


@pytest.mark.parametrize(
    ("off", "said"),
    [(4, "s ahead of PostgreSQL's"), (-4, "s behind PostgreSQL's"), (0.5, None), (0, None), (-0.5, None)],
)
def test_a_host_that_is_too_far_off_is_not_ready(services: Services, off: float, said: str | None) -> None:
    with host_off_by(off):
        told = [reason for reason in readiness(services).reasons if "clock" in reason]

    assert len(told) == (1 if said else 0)
    assert not said or said in told[0]


def test_a_slow_answer_is_not_held_against_a_clock(owner: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    there = clock.now

    def slowly(tx: object) -> float:
        found = there(tx)  # type: ignore[arg-type]
        wait_until(lambda: time.time() > found + 1.2, seconds=5)
        return found

    monkeypatch.setattr(clock, "now", slowly)
    with owner.read() as tx:
        assert clock.ahead_s(tx) == 0
