"""Links in mails: a forgotten password, a confirmed address, another address. Who is known never shows."""

import re
from collections.abc import Callable

import pytest

from tests.integration.asgi import Request, ask
from tests.integration.clients import PASSWORD, ApiClient, Browser
from vote.app import create_app
from vote.auth import create_jwt_token
from vote.config import Settings
from vote.db import attempts, outbox
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.services.container import Services
from vote.worker.mailer import Mailer

MakeUser = Callable[..., Account]
NEW = "a quite new one"


class Mailbox:
    """Mail as somebody reads it in development."""

    def __init__(self, settings: Settings, owner: Database) -> None:
        self._settings, self._owner = settings, owner

    def letters(self) -> list[tuple[str, str]]:
        """Every mail so far, newest first: to whom, and what it says."""
        postman = Mailer(self._settings)
        while postman.send_next():
            pass
        postman.close()
        with self._owner.read() as tx:
            return [(one.recipient, one.letter) for one in outbox.to_read(tx, limit=50)]

    def token(self) -> str:
        """That of the newest link."""
        found = re.search(r"#([\w-]{43})", self.letters()[0][1])
        assert found is not None
        return found[1]


@pytest.fixture
def mailbox(settings: Settings, owner: Database) -> Mailbox:
    return Mailbox(settings, owner)


def reset(api: ApiClient, token: str, password: str = NEW) -> int:
    given = {"token": token, "new_password": password, "confirm_password": password}
    return api.post("/reset", json=given).status_code


# --- a forgotten password ------------------------------------------------------------------------------------------------
def test_a_link_sets_a_password_once(
    api: ApiClient, as_user: Callable[[Account], ApiClient], services: Services, mailbox: Mailbox, make_user: MakeUser
) -> None:
    ada = make_user(username="ada")
    before = as_user(ada)
    with services.db.transaction(by="tests") as tx:  # the door is shut, too
        attempts.count_up_to(tx, services.login_throttle.subject("name", "ada"), attempts.EVERYWHERE, most=1, hours=24)

    assert api.post("/forgot", json={"email": ada.email.upper()}).status_code == 202
    token = mailbox.token()
    assert reset(api, token, "ada-ada-1") == 422, "too easy, and the link is not used up by that"
    assert reset(api, token) == 204
    assert reset(api, token) == 422

    assert before.get("/api/me").status_code == 401
    assert api.post("/login", json={"username": "ada", "password": NEW}).status_code == 200
    assert mailbox.letters()[0][0] == ada.email
    assert mailbox.letters()[0][1].startswith("Your password was changed")


def test_a_link_is_too_old_after_half_an_hour_and_useless_after_a_newer_one(
    api: ApiClient, mailbox: Mailbox, owner: Database, make_user: MakeUser
) -> None:
    ada = make_user()
    api.post("/forgot", json={"email": ada.email})
    first = mailbox.token()
    api.post("/forgot", json={"email": ada.email})
    second = mailbox.token()

    assert reset(api, first) == 422
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE mail_links SET expires_at = expires_at - interval '30 minutes'")
    assert reset(api, second) == 422
    assert reset(api, "x" * 43) == 422


def test_asking_tells_nobody_who_is_known_and_does_the_same_work(
    api: ApiClient, mailbox: Mailbox, owner: Database, make_user: MakeUser
) -> None:
    ada, off = make_user(), make_user()
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE users SET disabled_at = now() WHERE id = %s", (off.id,))
    told = []
    for email in (ada.email, off.email, "nobody@example.org"):
        answers = [api.post("/forgot", json={"email": email}) for _ in range(4)]
        told.append([(one.status_code, one.headers.get("Retry-After", "")[:1], len(one.data)) for one in answers])
    with owner.read() as tx:
        rows = tx.execute("SELECT kind, recipient IS NOT NULL FROM outbox ORDER BY written_at").fetchall()

    assert told[0] == told[1] == told[2]
    assert [one[0] for one in told[0]] == [202, 202, 202, 429]
    assert rows == [("reset", True)] * 3 + [("reset", False)] * 6
    assert {to for to, _ in mailbox.letters()} == {ada.email}


def test_a_link_works_in_a_browser_and_its_token_is_in_no_address(
    browser: Browser, mailbox: Mailbox, make_user: MakeUser
) -> None:
    ada = make_user(username="ada")

    page = browser.submit("/forgot", "/forgot", email=ada.email)
    assert page.status_code == 202
    assert ada.email in page.text
    assert 'href="/outbox"' in page.text, "who develops is told where the mail is"
    token = mailbox.token()
    assert f"http://127.0.0.1:8080/reset#{token}" in mailbox.letters()[0][1]
    wrong = browser.submit("/reset", "/reset", token=token, new_password="short", confirm_password="other")
    assert wrong.status_code == 422
    assert "At least 8 characters" in wrong.text
    assert f'value="{token}"' in wrong.text, "it is in no address any more: nobody has to look for the mail again"
    done = browser.submit("/reset", "/reset", token=f" {token} ", new_password=NEW, confirm_password=NEW)

    assert done.location == "/login?done=reset"
    assert "Log in with the new one" in browser.get(done.location).text
    browser.log_in(ada, NEW)


def test_looking_at_a_link_uses_nothing_up(api: ApiClient, mailbox: Mailbox, make_user: MakeUser) -> None:
    api.post("/forgot", json={"email": make_user().email})
    token = mailbox.token()

    for method in ("GET", "HEAD"):
        assert api(method, f"/reset?token={token}").status_code == 200
        assert api(method, f"/confirm?token={token}").status_code == 200

    assert reset(api, token) == 204


def test_a_site_that_sends_no_mail_says_so(services: Services, settings: Settings) -> None:
    silent = Services.from_settings(settings.model_copy(update={"vote_env": "production"}))
    silent.start()
    try:
        app = create_app(silent)
        assert "the people who run this site" in Browser(app).get("/forgot").text
        assert ApiClient(app).post("/forgot", json={"email": "a@example.org"}).status_code == 403
        assert ApiClient(app).get("/outbox").status_code == 404
    finally:
        silent.close()


def test_the_outbox_is_for_this_machine_alone(api: ApiClient, mailbox: Mailbox, make_user: MakeUser) -> None:
    api.post("/forgot", json={"email": make_user().email})
    token = mailbox.token()

    assert token in api.get("/outbox").text
    strangers = [
        {"environ_overrides": {"REMOTE_ADDR": "192.0.2.7"}},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"Forwarded": "for=127.0.0.1"}},
        {"headers": {"X-Real-IP": "127.0.0.1"}},
        {"headers": {"Host": "rebound.example"}},
        {"headers": {"Host": "localhost.example:8080"}},
    ]
    for stranger in strangers:
        assert api.get("/outbox", **stranger).status_code == 404, stranger


# --- another address ---------------------------------------------------------------------------------------------------
def test_another_address_needs_the_password_and_the_old_one_is_told(
    browser: Browser, owner: Database, mailbox: Mailbox, make_user: MakeUser
) -> None:
    ada = make_user(username="ada", password=PASSWORD)
    make_user(username="ben")
    browser.log_in(ada)

    wrong = browser.submit("/account", "/account/email", email="new@example.org", password="wrong")
    taken = browser.submit("/account", "/account/email", email="BEN@example.com", password=PASSWORD)
    assert (wrong.status_code, taken.status_code) == (422, 409)
    assert "This is not your password" in wrong.text
    assert "in use" in taken.text
    assert browser.get("/api/me").json["email"] == ada.email
    done = browser.submit("/account", "/account/email", email="new@example.org", password=PASSWORD)

    assert done.location == "/account?done=email"
    assert browser.get("/api/me").json["email"] == "new@example.org"
    to, letter = mailbox.letters()[0]
    assert (to, letter.partition("\n")[0]) == (ada.email, "Your email address was changed")
    with owner.read() as tx:
        row = tx.execute("SELECT actor, after FROM audit_log WHERE after ? 'email' ORDER BY id DESC LIMIT 1").fetchone()
    assert row == (f"user:{ada.id}", {"email": "(not kept here)"})


# --- confirmation --------------------------------------------------------------------------------------------------------
@pytest.fixture
def asking(settings: Settings) -> Settings:
    """The settings of a site that wants addresses confirmed."""
    return settings.model_copy(update={"email_confirmation": True})


def test_who_has_not_confirmed_logs_in_and_does_not_vote(
    asking: Settings, owner: Database, worker: object, make_competition: Callable[..., Competition]
) -> None:
    services = Services.from_settings(asking)
    services.start()
    try:
        api, mailbox = ApiClient(create_app(services)), Mailbox(asking, owner)
        where = f"/vote/{make_competition().id}"
        ada = {"username": "ada", "email": "ada@example.org", "password": PASSWORD, "confirm_password": PASSWORD}
        token = api.post("/register", json=ada).json["token"]

        def vote() -> int:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            return ask(asking, [Request("POST", where, headers, b'{"vote":"a"}')])[0].status

        assert vote() == 403
        assert ApiClient(api.app, token).get("/api/me").status_code == 200
        assert ApiClient(api.app, token).post("/account/email/confirm").status_code == 202
        browser = Browser(api.app)
        browser.submit("/login", "/login", username="ada", password=PASSWORD)
        assert "before you vote" in browser.get(where).text
        link = mailbox.token()
        assert browser.submit("/confirm", "/confirm", token=link).location == "/account?done=confirmed"
        assert api.post("/confirm", json={"token": link}).status_code == 422

        assert vote() == 202, "the same token; it is asked for once"
        assert "before you vote" not in browser.get(where).text
        with browser.client.session_transaction(base_url="https://localhost") as session:
            assert "unconfirmed" not in session
        assert api.post("/login", json={"username": "ada", "password": PASSWORD}).status_code == 200
    finally:
        services.close()


def test_another_address_counts_once_it_is_confirmed(asking: Settings, owner: Database, make_user: MakeUser) -> None:
    ada = make_user(username="ada", password=PASSWORD)
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE users SET confirmed_at = now()")
    services = Services.from_settings(asking)
    services.start()
    try:
        browser, mailbox = Browser(create_app(services)), Mailbox(asking, owner)
        browser.log_in(ada)
        done = browser.submit("/account", "/account/email", email="new@example.org", password=PASSWORD)
        assert done.location == "/account?done=mail"
        assert browser.get("/api/me").json["email"] == ada.email
        assert mailbox.letters()[0][0] == "new@example.org"
        assert 'We sent a link to <strong dir="auto">new@example.org' in browser.get("/account").text

        assert browser.submit("/confirm", "/confirm", token=mailbox.token()).status_code == 303

        assert browser.get("/api/me").json["email"] == "new@example.org"
        assert mailbox.letters()[0][0] == ada.email, "the old one is told"
    finally:
        services.close()


def test_a_token_of_before_the_setting_is_as_good_as_it_was(
    asking: Settings, worker: object, make_user: MakeUser, make_competition: Callable[..., Competition]
) -> None:
    token = create_jwt_token(make_user().id, secret=asking.jwt_secret)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    answer = ask(asking, [Request("POST", f"/vote/{make_competition().id}", headers, b'{"vote":"a"}')])[0]

    assert answer.status == 202
