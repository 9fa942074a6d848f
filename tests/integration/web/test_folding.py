"""However people write a name, an address, a password or an option: what is the same is taken for the same, everywhere."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.clients import PASSWORD, ApiClient, Browser
from vote.app import create_app
from vote.auth import PBKDF2_ROUNDS, hash_password, pbkdf2, verify_password
from vote.db import users
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.input_limits import FREE_GUESSES
from vote.services.container import Services

MakeUser = Callable[..., Account]
COMPOSED = "P\u00e4ssw\u00f6rd-Zebra-Lampe-9"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def form_of(**fields: str) -> dict[str, str]:
    given = {"username": "carla", "email": "carla@example.org", "password": PASSWORD, "confirm_password": PASSWORD}
    return {**given, **fields}


# --- names and addresses -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("typed", ["carla ", " carla", "CARLA\u00a0", "\u200bcarla", "carla\n"])
def test_a_space_that_a_keyboard_adds_keeps_nobody_out(
    api: ApiClient, browser: Browser, make_user: MakeUser, typed: str
) -> None:
    carla = make_user(username="carla", password=PASSWORD)

    assert api.post("/login", json={"username": typed, "password": PASSWORD}).status_code == 200
    assert api.post("/login", data={"username": typed, "password": PASSWORD}).status_code == 200
    assert browser.submit("/login", "/login", username=typed, password=PASSWORD).status_code == 303
    assert browser.get("/api/me").json["id"] == carla.id


def test_a_name_and_an_address_are_registered_without_the_spaces_around_them(api: ApiClient, browser: Browser) -> None:
    made = api.post("/register", json=form_of(username=" carla ", email="\u200bcarla@example.org "))

    assert made.status_code == 201, made.text
    assert (made.json["user"]["username"], made.json["user"]["email"]) == ("carla", "carla@example.org")
    again = browser.submit("/register", "/register", **form_of(username="Carla ", email="other@example.org"))
    assert (again.status_code, "in use" in again.text) == (409, True)


@pytest.mark.parametrize("way", ["api", "page"])
def test_a_space_around_an_address_keeps_no_mail_from_its_owner(
    api: ApiClient, browser: Browser, make_user: MakeUser, owner: Database, way: str
) -> None:
    carla = make_user(username="carla")
    typed = f" \u200b{carla.email}\u00a0"

    if way == "api":
        assert api.post("/forgot", json={"email": typed}).status_code == 202
    else:
        browser.submit("/forgot", "/forgot", email=typed)

    with owner.read() as tx:
        assert tx.execute("SELECT recipient FROM outbox").fetchall() == [(carla.email,)]


@pytest.mark.parametrize("typed", ["k@BÜCHER2.example", "K@xn--bcher2-3ya.example", "k@bu\u0308cher2.example"])
def test_an_address_is_in_use_however_its_domain_is_written(
    api: ApiClient, as_user: Callable[[Account], ApiClient], make_user: MakeUser, admin: ApiClient, typed: str
) -> None:
    assert api.post("/register", json=form_of(email="k@bücher2.example")).status_code == 201

    taken = api.post("/register", json=form_of(username="other", email=typed))
    moved = as_user(make_user(password=PASSWORD)).post("/account/email", json={"email": typed, "password": PASSWORD})
    found = admin.get("/api/admin/people", query_string={"search": typed})

    assert (taken.status_code, list(taken.json["errors"])) == (409, ["email"])
    assert (moved.status_code, list(moved.json["errors"])) == (409, ["email"])
    assert [one["username"] for one in found.json["people"]] == ["carla"]


def test_an_address_that_no_mail_reaches_is_refused_where_it_is_typed(
    api: ApiClient, browser: Browser, services: Services, make_user: MakeUser
) -> None:
    ada = make_user(username="ada", password=PASSWORD)
    made = api.post("/register", json=form_of(email="jürgen@example.org"))
    page = browser.submit("/register", "/register", **form_of(email="jürgen@example.org"))
    browser.log_in(ada)
    moved = browser.submit("/account", "/account/email", email="jürgen@example.org", password=PASSWORD)

    assert (made.status_code, "Before the @" in made.json["errors"]["email"]) == (422, True)
    for answer in (page, moved):
        assert answer.status_code == 422
        assert "send email to this address" in answer.text
    takes = {"smtp_url": "smtp://127.0.0.1?smtputf8=on"}
    other = replace(services, settings=services.settings.model_copy(update=takes))
    assert ApiClient(create_app(other)).post("/register", json=form_of(email="jürgen@example.org")).status_code == 201


def test_a_command_takes_a_name_as_a_page_does(owner: Database, make_user: MakeUser) -> None:
    ada = make_user(username="ada")
    with owner.read() as tx:
        assert users.find_by_username(tx, " ADA ") == ada
        assert users.find_by_username(tx, "ad a") is None


def test_letters_that_a_database_may_fold_open_nothing_and_are_counted_as_one_name(
    api: ApiClient, services: Services, owner: Database, make_user: MakeUser
) -> None:
    make_user(username="admin", password=PASSWORD)
    typed = ("adm\u0130n", "ADM\u0130N", "adm\u0131n", "\u0430dmin", "admin@example.org", "adm in", "adm\u0307in")

    told = {api.post("/login", json={"username": one, "password": PASSWORD}).status_code for one in typed}

    assert told <= {401, 429}
    with owner.read() as tx:
        rows = tx.execute("SELECT subject, count FROM attempts").fetchall()
    assert [row[0] for row in rows] == [services.login_throttle.name_subject("adm\u0130n")], "one row for all of them"
    assert rows[0][1] > FREE_GUESSES, "and from the fifth on they wait, however they are written"
    assert api.post("/login", json={"username": "Admin", "password": PASSWORD}).status_code == 200, "nobody is kept out"


# --- passwords -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("first", "then"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_a_password_is_the_same_from_every_keyboard(api: ApiClient, first: str, then: str) -> None:
    made = api.post("/register", json=form_of(password=first, confirm_password=then))
    assert made.status_code == 201, made.text

    assert api.post("/login", json={"username": "carla", "password": then}).status_code == 200
    wrong = {"current_password": then, "new_password": f"{first}!", "confirm_password": f"{then}!"}
    assert ApiClient(api.app, made.json["token"]).post("/account/password", json=wrong).status_code == 204
    assert api.post("/login", json={"username": "carla", "password": f"{then}!"}).status_code == 200


def test_a_hash_from_before_is_tried_as_typed_and_made_anew(
    api: ApiClient, owner: Database, make_user: MakeUser
) -> None:
    carla = make_user(username="carla")
    salt = "s" * 22
    old = pbkdf2(DECOMPOSED.encode(), salt.encode(), PBKDF2_ROUNDS).hex()
    with owner.transaction(by="tests") as tx:
        users.set_password_hash(tx, carla.id, f"pbkdf2:sha256:{PBKDF2_ROUNDS}${salt}${old}")

    def log_in(password: str) -> int:
        return api.post("/login", json={"username": "carla", "password": password}).status_code

    assert log_in(COMPOSED) == 401, "nobody has typed it so yet"
    assert log_in(DECOMPOSED) == 200
    assert log_in(COMPOSED) == 200, "from now on both are the same"


def test_a_wrong_password_costs_one_hash() -> None:
    calls: list[bytes] = []

    def counted(password: bytes, salt: bytes, rounds: int) -> bytes:
        calls.append(password)
        return pbkdf2(password, salt, min(rounds, 1))

    stored = hash_password(COMPOSED, rounds=1)
    assert not verify_password("wrong", stored, derive=counted)
    assert calls == [b"wrong"]
    calls.clear()
    assert not verify_password("Wr\u00f6ng", stored, derive=counted)
    assert calls == ["Wr\u00f6ng".encode()], "composed is how it is hashed"


# --- options, names, reasons -----------------------------------------------------------------------------------------------
ALIKE = [("A B", "A  B"), ("Caf\u00e9", "Cafe\u0301"), ("Ja", "Ja\u200b"), ("Ja", "J\u00ada"), ("Ja", "\uff2a\uff41")]
UNSEEN = ["\u200b", "\u2060", "\u3164", "\u2800", "\u00ad\u200d"]
TURNING = [f"a{chr(number)}b" for number in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]


@pytest.mark.parametrize("options", ALIKE)
def test_two_options_that_look_the_same_are_refused(admin: ApiClient, options: tuple[str, str]) -> None:
    made = admin.post("/api/admin/competitions", json={"name": "Which?", "options": list(options), "draft": True})

    assert made.status_code == 422
    assert "same text" in made.json["errors"]["options"]


@pytest.mark.parametrize("field", ["name", "option_a", "option_b"])
@pytest.mark.parametrize(
    ("text", "told"), [*((one, "visible") for one in UNSEEN), *((one, "direction") for one in TURNING)]
)
def test_a_text_that_shows_nothing_or_turns_the_writing_is_refused(
    admin: ApiClient, field: str, text: str, told: str
) -> None:
    given = {"name": "Which?", "option_a": "A", "option_b": "B", "draft": True, field: text}

    made = admin.post("/api/admin/competitions", json=given)

    assert made.status_code == 422
    assert told in made.json["errors"][field]


def test_the_dashboard_marks_the_option_that_looks_like_another(
    browser: Browser, services: Services, make_user: MakeUser
) -> None:
    browser.be(make_user(role="organiser"), services.settings)

    page = browser.submit(
        "/admin/competitions/new", "/admin/competitions", name="Which?", option=["Ja", "Nein", "J\u00ada", ""]
    )

    assert page.status_code == 422
    assert 'id="option-c-error"' in page.text
    assert 'id="option-a-error"' not in page.text


@pytest.mark.parametrize("reason", UNSEEN)
def test_a_reason_that_nobody_can_read_is_none(admin: ApiClient, over_a_gap: Competition, reason: str) -> None:
    def finish(reason: str) -> Any:
        return admin.post(f"/api/admin/competitions/{over_a_gap.id}/finish", json={"reason": reason})

    assert finish(reason).status_code == 422
    assert finish("Counted by hand.").status_code == 200
