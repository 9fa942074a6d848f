"""Registering, logging in and out by API client, and the tokens that come of it."""

from collections.abc import Callable

import jwt
import pytest
from structlog.testing import capture_logs

from tests.integration.clients import ApiClient
from vote.app import create_app
from vote.auth import create_jwt_token
from vote.config import Settings
from vote.db.users import Account
from vote.services.container import Services

PERSON = {
    "username": "Ada.L-1",
    "email": "test@example.com",
    "password": "Pass123!",
    "confirm_password": "Pass123!",
}
TYPED = {name: value for name, value in PERSON.items() if "password" not in name}


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
    api: ApiClient, services: Services, make_user: Callable[..., Account], subtests: pytest.Subtests
) -> None:
    make_user(username="ada", password="Pass123!")
    off = make_user(username="disabled", password="Pass123!")
    with services.db.transaction(by="tests") as tx:
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
            assert answer.json["detail"] == "Wrong username or password."
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


def test_logout_of_nobody_is_refused(api: ApiClient) -> None:
    assert api.post("/logout").status_code == 401


def test_a_token_made_right_after_everything_was_ended_is_alive(
    api: ApiClient, services: Services, make_user: Callable[..., Account]
) -> None:
    account = make_user(password="Pass123!")
    login = {"username": account.username, "password": "Pass123!"}
    first = ApiClient(api.app, api.post("/login", json=login).json["token"])

    assert first.post("/account/logout-everywhere").status_code == 204
    second = ApiClient(api.app, api.post("/login", json=login).json["token"])

    services.revocations.refresh()
    assert second.get("/api/me").status_code == 200
    assert first.get("/api/me").status_code == 401


def test_a_token_in_a_form_page_is_not_needed_with_bearer(voter: ApiClient, services: Services) -> None:
    """A client that keeps cookies and sends a token is asked for no form's token."""
    answer = voter.post("/logout", headers={"Cookie": "__Host-session=x"})

    assert answer.status_code == 204


def test_tokens_of_the_previous_secret_still_count(
    services: Services, settings: Settings, make_user: Callable[..., Account]
) -> None:
    account = make_user()
    rotated = settings.model_copy(
        update={"jwt_secret": "another-secret-0123456789abcdefghij", "jwt_secret_previous": settings.jwt_secret}
    )
    fresh = Services.from_settings(rotated)
    fresh.start()
    try:
        old = ApiClient(create_app(fresh), create_jwt_token(account.id, secret=settings.jwt_secret))
        assert old.get("/api/me").status_code == 200
    finally:
        fresh.close()
