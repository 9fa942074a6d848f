"""Guesses at the door of the app: the same answer for every cause, nothing looked at while it waits, known devices."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from psycopg import sql

from tests.counting_hasher import RIGHT, CountingHasher
from tests.integration.clients import ApiClient, Browser
from vote.app import create_app
from vote.db import account_locks, attempts, mail_links, outbox
from vote.db.attempts import FIRST_WAIT_S
from vote.db.pool import Database
from vote.db.users import Account
from vote.input_limits import FREE_GUESSES, GUESSES_A_DAY
from vote.services.container import Services

MakeUser = Callable[..., Account]
OF_ONE_REQUEST = ("X-Request-Id", "Date")


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def app(services: Services, hasher: CountingHasher) -> Flask:
    return create_app(dataclasses.replace(services, hasher=hasher))


def use_up(services: Services, username: str) -> None:
    """A hundred wrong passwords from elsewhere."""
    with services.db.transaction(by="tests") as tx:
        for _ in range(GUESSES_A_DAY):
            attempts.count_up_to(
                tx, services.login_throttle.subject("name", username), attempts.EVERYWHERE, most=GUESSES_A_DAY, hours=24
            )


def told(api: ApiClient, name: str, password: str = "wrong") -> tuple[int, str, dict[str, str]]:  # noqa: S107
    answer = api.post("/login", json={"username": name, "password": password})
    body = answer.get_json()
    body.pop("request_id", None)
    headers = {name: value for name, value in answer.headers if name not in OF_ONE_REQUEST}
    if "Retry-After" in headers:  # in seconds from now, which goes on
        headers["Retry-After"] = "some seconds" if int(headers["Retry-After"]) <= FIRST_WAIT_S else "hours"
    return answer.status_code, str(body), headers


def test_nothing_tells_who_is_known(
    api: ApiClient, services: Services, hasher: CountingHasher, owner: Database, make_user: MakeUser
) -> None:
    """L2: known and unknown, disabled and not, guessed at and used up: the same answers, the same work."""
    make_user(username="known")
    off = make_user(username="disabled")
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE users SET disabled_at = now() WHERE id = %s", (off.id,))
    use_up(services, "known")
    use_up(services, "unknown")

    assert told(api, "known", RIGHT) == told(api, "unknown", RIGHT)
    assert told(api, "known")[0] == 429
    assert hasher.verified == 0
    make_user(username="another")
    answers, work = {}, {}
    for name in ("another", "disabled", "nobody"):
        before = hasher.verified
        answers[name] = [told(api, name, RIGHT if name == "disabled" else "wrong") for _ in range(FREE_GUESSES + 3)]
        work[name] = hasher.verified - before
    assert answers["another"] == answers["disabled"] == answers["nobody"]
    assert work == dict.fromkeys(work, FREE_GUESSES + 1)
    assert [one[0] for one in answers["nobody"]] == [401] * (FREE_GUESSES + 1) + [429] * 2
    assert answers["nobody"][-1][2]["Retry-After"] == "some seconds"


def test_the_owner_gets_in_where_a_device_is_known_also_after_logging_out(
    browser: Browser, app: Flask, services: Services, make_user: MakeUser
) -> None:
    ada = make_user(username="ada")
    browser.log_in(ada, RIGHT)
    browser.submit("/account", "/logout")
    use_up(services, "ada")

    refused = Browser(app).submit("/login", "/login", username="ada", password=RIGHT)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 80_000
    assert "Too many wrong passwords" in refused.text
    browser.log_in(ada, RIGHT)


def test_the_device_cookie_is_guarded_and_a_made_up_one_is_none(
    browser: Browser, app: Flask, services: Services, make_user: MakeUser
) -> None:
    answer = browser.submit("/login", "/login", username=make_user(username="ada").username, password=RIGHT)
    cookie = next(one for one in answer.headers.getlist("Set-Cookie") if one.startswith("__Host-device="))
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=15552000"):
        assert f"; {attribute}" in cookie
    use_up(services, "ada")
    token = cookie.partition("=")[2].partition(".")[0]

    for forged in (token, f"{token}.AAAA", "x" * 3_000, "é"):
        other = Browser(app)
        other.client.set_cookie("__Host-device", forged, secure=True)
        assert other.submit("/login", "/login", username="ada", password=RIGHT).status_code == 429


def test_a_device_serves_two_people_and_each_sees_only_their_own(browser: Browser, make_user: MakeUser) -> None:
    ada, ben = make_user(username="ada"), make_user(username="ben")
    for who in (ada, ben, ada):
        browser.log_in(who, RIGHT)
        browser.submit("/account", "/logout")
    browser.log_in(ada, RIGHT)

    assert [one["device"] for one in browser.get("/api/me/devices").json["devices"]] == ["A browser"]


def test_taking_a_device_away_logs_it_out(browser: Browser, app: Flask, make_user: MakeUser) -> None:
    ada = make_user(username="ada")
    browser.log_in(ada, RIGHT)
    phone = Browser(app)
    phone.headers["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"
    phone.log_in(ada, RIGHT)
    page = browser.get("/account").text
    assert "Safari on an iPhone" in page
    assert page.count("This device.") == 1
    number = next(
        one["id"] for one in browser.get("/api/me/devices").json["devices"] if one["device"] == "Safari on an iPhone"
    )

    answer = browser.submit("/account", f"/account/devices/{number}/forget")

    assert answer.location == "/account?done=device"
    assert phone.get("/api/me").status_code == 401
    assert browser.get("/api/me").status_code == 200


def test_a_new_password_leaves_only_this_device_known(browser: Browser, app: Flask, make_user: MakeUser) -> None:
    ada = make_user(username="ada")
    Browser(app).log_in(ada, RIGHT)
    browser.log_in(ada, RIGHT)
    new = "a quite new one"

    answer = browser.submit(
        "/account", "/account/password", current_password=RIGHT, new_password=new, confirm_password=new
    )

    assert answer.status_code == 303
    assert browser.get("/account").text.count("This device.") == 1
    assert len(browser.get("/api/me/devices").json["devices"]) == 1


def test_ones_own_name_is_no_new_password(browser: Browser, make_user: MakeUser) -> None:
    browser.log_in(make_user(username="lovelace"), RIGHT)

    answer = browser.submit(
        "/account",
        "/account/password",
        current_password=RIGHT,
        new_password="Lovelace-7",
        confirm_password="Lovelace-7",
    )

    assert answer.status_code == 422
    assert "little more than your name" in answer.text


def test_while_hashing_is_behind_people_are_told_and_not_counted(
    api: ApiClient, browser: Browser, hasher: CountingHasher, make_user: MakeUser
) -> None:
    ada = make_user(username="ada")
    hasher.is_busy = True
    for _ in range(FREE_GUESSES + 2):
        answer = api.post("/login", json={"username": "ada", "password": RIGHT})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
    assert "Try again in a few seconds" in browser.submit("/login", "/login", username="ada", password=RIGHT).text
    hasher.is_busy = False

    browser.log_in(ada, RIGHT)


def test_failures_count_against_a_network_whatever_the_names(services: Services, hasher: CountingHasher) -> None:
    few = services.rate_limits._replace(login_failures=services.rate_limits.login_failures._replace(burst=3))
    api = ApiClient(create_app(dataclasses.replace(services, hasher=hasher, rate_limits=few)))

    said = [api.post("/login", json={"username": f"name{n}", "password": "wrong"}).status_code for n in range(5)]

    assert said == [401, 401, 401, 429, 429]
    assert hasher.verified == 3


def test_registrations_count_against_a_network(services: Services, hasher: CountingHasher) -> None:
    few = services.rate_limits._replace(registrations=services.rate_limits.registrations._replace(burst=2))
    app = create_app(dataclasses.replace(services, hasher=hasher, rate_limits=few))

    def register(number: int, **more: Any) -> int:
        person = {"username": f"name{number}", "email": f"{number}@example.org"}
        secret = {"password": RIGHT, "confirm_password": RIGHT}
        return ApiClient(app).post("/register", json={**person, **secret}, **more).status_code

    assert [register(number) for number in range(3)] == [201, 201, 429]
    assert register(3, headers={"X-Forwarded-For": "198.51.100.9"}) == 429, "whatever it says of itself"
    assert register(4, environ_overrides={"REMOTE_ADDR": "198.51.100.9"}) == 201


def test_admins_see_locks_and_lift_them(
    admin: ApiClient, voter: ApiClient, api: ApiClient, services: Services, make_user: MakeUser
) -> None:
    ada = make_user(username="ada")
    with services.db.transaction(by="tests") as tx:
        for _ in range(GUESSES_A_DAY - 1):
            attempts.count_up_to(
                tx, services.login_throttle.subject("name", "ada"), attempts.EVERYWHERE, most=GUESSES_A_DAY, hours=24
            )
    assert told(api, "ada")[0] == 401

    (lock,) = admin.get("/api/admin/locks").json["locks"]
    assert (lock["user_id"], lock["username"]) == (ada.id, "ada")
    assert admin.get(f"/api/admin/people/{ada.id}").json["locked_until"] == lock["expires_at"]
    assert voter.get("/api/admin/locks").status_code == 403
    assert "ada" in admin.get("/admin/locks", headers={"Accept": "text/html"}).text
    assert told(api, "ada", RIGHT)[0] == 429
    assert admin.post(f"/api/admin/people/{ada.id}/unlock").json["locked_until"] is None
    assert told(api, "ada", RIGHT)[0] == 200
    assert "unlocked it" in admin.get(f"/admin/people/{ada.id}", headers={"Accept": "text/html"}).text


def test_the_dashboard_tells_admins_of_locked_accounts(
    as_user: Callable[[Account], ApiClient], admin: ApiClient, owner: Database, make_user: MakeUser
) -> None:
    organiser, page = as_user(make_user(role="organiser")), {"Accept": "text/html"}
    assert "/admin/locks" not in admin.get("/admin", headers=page).text

    for said in ("1 account is locked", "2 accounts are locked"):
        with owner.transaction(by="tests") as tx:
            tx.execute(
                "INSERT INTO login_locks (user_id, expires_at) VALUES (%s, now() + interval '1 h')", (make_user().id,)
            )

        dashboard = admin.get("/admin", headers=page).text
        assert said in dashboard
        assert 'href="/admin/locks"' in dashboard
    assert "/admin/locks" not in organiser.get("/admin", headers=page).text


def test_who_is_erased_leaves_no_device_and_no_mail(browser: Browser, owner: Database, make_user: MakeUser) -> None:
    ada = make_user(username="ada")
    browser.log_in(ada, RIGHT)
    with owner.transaction(by="tests") as tx:
        outbox.put(tx, "reset", ada)
        mail_links.replace(tx, token_hash=b"x" * 32, user_id=ada.id, purpose="reset", email=ada.email, minutes=30)
        account_locks.insert(tx, ada.id, b"x" * 16, b"")
        exported = browser.get("/api/me/export").json["devices"]

    browser.submit("/account", "/account/delete", password=RIGHT)

    assert [one["device"] for one in exported] == ["A browser"]
    with owner.read() as tx:
        for table in ("devices", "outbox", "mail_links", "login_locks"):
            assert tx.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone() == (0,), (
                table
            )
        kept = tx.execute("SELECT before FROM audit_log WHERE subject = 'devices' AND action = 'delete'").fetchone()
    assert kept is not None
    assert {kept[0][name] for name in ("device", "session", "token_hash")} == {"(not kept here)"}
