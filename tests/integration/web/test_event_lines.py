"""What people change leaves a line that says who and what by number, whichever way they come; a refusal leaves one too."""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from structlog.testing import capture_logs

from tests.casting import cast
from tests.integration.clients import PASSWORD, ApiClient, Browser
from tests.log_schema import schema
from vote.actions import accounts, closing, logins
from vote.actions.login_throttle import LoginSource
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.errors import NotLoggedIn
from vote.input_limits import GUESSES_A_DAY
from vote.services.container import Services
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
AsUser = Callable[[Account], ApiClient]
Lines = list[MutableMapping[str, Any]]
PEOPLE, MANAGED = "/api/admin/people", "/api/admin/competitions"
ANY = {"If-Match": "*"}


def written(lines: Lines) -> list[dict[str, Any]]:
    """The lines without their levels, and without those of the ballot log."""
    return [{name: value for name, value in line.items() if name != "log_level"} for line in lines]


@contextmanager
def one_line(event: str, **fields: Any) -> Iterator[None]:
    """What is done inside writes this line, and no other."""
    with capture_logs() as lines:
        yield
    assert written(lines) == [{"event": event, **fields}]


@pytest.fixture
def chief(make_user: MakeUser) -> Account:
    """An admin."""
    return make_user(role="admin")


@pytest.fixture
def client(as_user: AsUser, chief: Account) -> ApiClient:
    """The admin's client."""
    return as_user(chief)


def test_what_an_admin_does_to_an_account(client: ApiClient, chief: Account, make_user: MakeUser) -> None:
    other = make_user()
    told = {"actor": f"user:{chief.id}", "account": other.id}

    with one_line("role changed", **told, role="organiser", role_before="voter"):
        assert client.post(f"{PEOPLE}/{other.id}/role", {"role": "organiser"}).status_code == 200
    with one_line("account disabled", **told):
        assert client.post(f"{PEOPLE}/{other.id}/disable", {}).status_code == 200
    with one_line("account enabled", **told):
        assert client.post(f"{PEOPLE}/{other.id}/enable", {}).status_code == 200
    with one_line("account logged out", **told):
        assert client.post(f"{PEOPLE}/{other.id}/logout", {}).status_code == 200
    with one_line("account unlocked", **told):
        assert client.post(f"{PEOPLE}/{other.id}/unlock", {}).status_code == 200
    with capture_logs() as lines:
        assert client.post(f"{PEOPLE}/{other.id}/role", {"role": "organiser"}).status_code == 200
    assert lines == [], "the same role again changes nothing"


def test_what_a_command_does_to_an_account(owner: Database, make_user: MakeUser) -> None:
    with capture_logs() as lines:
        made = accounts.create_admin(
            owner, username="boss", email="boss@example.com", password=PASSWORD, by="vote admin"
        )
        accounts.reset_password(owner, username="boss", password=PASSWORD, by="vote admin")

    told = {"actor": "vote admin", "account": made}
    assert written(lines) == [
        {"event": "account created", **told, "role": "admin"},
        {"event": "temporary password set", **told},
    ]


def test_the_life_of_a_competition(client: ApiClient, chief: Account, worker: Worker) -> None:
    actor = {"actor": f"user:{chief.id}"}
    wanted = {"name": "Which stage?", "options": ["River", "Hall"], "draft": True}
    with capture_logs() as lines:
        made = client.post(MANAGED, wanted).get_json()["id"]
    told = {**actor, "competition": made}
    assert written(lines) == [{"event": "competition created", **told, "state": "draft"}]

    with one_line("competition changed", **told, fields=["description", "name"]):
        words = {"name": "Which hall?", "description": "In town."}
        assert client.patch(f"{MANAGED}/{made}", json=words, headers=ANY).status_code == 200
    with one_line("voting opened", **told):
        assert client.post(f"{MANAGED}/{made}/open", {}).status_code == 200
    with one_line("competition corrected", **told, fields=["name"]):
        correction = {"name": "Which halls?", "correction": True}
        assert client.patch(f"{MANAGED}/{made}", json=correction, headers=ANY).status_code == 200
    with one_line("voting closed", **told):
        assert client.post(f"{MANAGED}/{made}/close", {}).status_code == 202
    with one_line("voting reopened", **told):
        assert client.post(f"{MANAGED}/{made}/open", {}).status_code == 200
    assert client.post(f"{MANAGED}/{made}/close", {}).status_code == 202
    worker.step()
    worker._finish_closings()
    with one_line("competition archived", **told):
        assert client.post(f"{MANAGED}/{made}/archive", {}).status_code == 200
    with one_line("competition deleted", **told):
        assert client.delete(f"{MANAGED}/{made}", headers=ANY).status_code == 204


def test_what_changes_nothing_leaves_no_line(client: ApiClient, make_competition: Callable[..., Competition]) -> None:
    one = make_competition()

    with capture_logs() as lines:
        assert client.patch(f"{MANAGED}/{one.id}", json={"name": one.name}, headers=ANY).status_code == 200
        assert client.post(f"{MANAGED}/{one.id}/open", {}).status_code == 200

    assert lines == []


def test_decisions_over_ballots_that_may_be_missing(
    owner: Database, chief: Account, client: ApiClient, over_a_gap: Competition
) -> None:
    with owner.read() as tx:
        gaps = sorted(gap.id for gap in closing.close_blockers(tx, over_a_gap).gaps)
        closing_now = tx.fetch_value("SELECT status FROM competitions WHERE id = %s", (over_a_gap.id,))
    assert closing_now == "closing"
    reason = {"reason": "Nobody voted in that minute, says the organiser."}

    with capture_logs() as lines:
        assert client.post(f"{MANAGED}/{over_a_gap.id}/finish", reason).status_code == 200
        assert client.post(f"/api/admin/gaps/{gaps[0]}/decide", reason).status_code == 204

    [final, decided] = written(lines)
    actor = {"actor": f"user:{chief.id}"}
    assert final | {"gaps": sorted(final["gaps"])} == {
        "event": "result final by decision", **actor, "competition": over_a_gap.id, "gaps": gaps, "unmatched": 0,
    }  # fmt: skip
    assert decided == {"event": "gaps decided", **actor, "gaps": gaps[:1]}
    assert "minute" not in str(lines), "a reason may name people"


def test_ballots_that_are_to_count_again(
    owner: Database, settings: Settings, worker: Worker, make_user: MakeUser, client: ApiClient, chief: Account,
    make_competition: Callable[..., Competition],
) -> None:  # fmt: skip
    one, voter = make_competition(), make_user()
    with owner.transaction(by="tests") as tx:
        tx.execute(
            "INSERT INTO unmatched_ballots VALUES (gen_random_uuid(), %s, %s, 'a', now(), 0, 'e', 1)",
            (one.id, voter.id),
        )

    with one_line("reinstatement decided", actor=f"user:{chief.id}", competition=one.id, ballots=1):
        assert client.post(f"{MANAGED}/{one.id}/reinstate", {"reason": "They are back."}).status_code == 202


def test_what_people_do_to_their_own_account(as_user: AsUser, make_user: MakeUser) -> None:
    account = make_user(password=PASSWORD)
    own, me = as_user(account), {"user_id": account.id}

    with one_line("password refused", **me):
        wrong = {"current_password": "wrong-one", "new_password": "a-new-1-here", "confirm_password": "a-new-1-here"}
        assert own.post("/account/password", wrong).status_code == 422
    with one_line("address changed", **me):
        changed = {"email": "new@example.com", "password": PASSWORD}
        assert own.post("/account/email", changed).status_code == 204
    with one_line("password changed", **me):
        assert own.post("/account/password", {**wrong, "current_password": PASSWORD}).status_code == 204
    again = as_user(account)
    again.headers = {"Authorization": f"Bearer {_token(again, account)}"}
    with one_line("logged out everywhere", **me):
        assert again.post("/account/logout-everywhere", {}).status_code == 204
    again.headers = {"Authorization": f"Bearer {_token(again, account)}"}
    with one_line("account erased", **me):
        assert again.delete("/api/me", json={"password": "a-new-1-here"}).status_code == 204


def _token(client: ApiClient, account: Account) -> str:
    anybody = ApiClient(client.app)
    answer = anybody.post("/login", {"username": account.username, "password": "a-new-1-here"})
    return str(answer.get_json()["token"])


def test_an_account_that_is_locked(services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    account = make_user()
    monkeypatch.setattr(logins, "GUESSES_A_DAY", 1)
    attempt = services.login_throttle.at_login(account.username, LoginSource("192.0.2.1", None))

    with one_line("account locked", account=account.id), pytest.raises(NotLoggedIn):
        logins.check_login(
            services.db, services.hasher, services.login_throttle, attempt, username=account.username, password="wrong"
        )
    assert GUESSES_A_DAY > 1


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("GET", PEOPLE, "people_api.listed"),
        ("POST", MANAGED, "admin_api.create"),
        ("GET", "/admin/gaps", "admin_gaps.show"),
    ],
)
def test_who_lacks_a_right_leaves_a_line(
    as_user: AsUser, make_user: MakeUser, method: str, path: str, endpoint: str
) -> None:
    account = make_user()

    with capture_logs() as lines:
        assert as_user(account)(method, path, json={}).status_code == 403

    [line] = written(lines)
    assert line.pop("reason").startswith("Only ")
    assert line == {"event": "access refused", "why": "NotAllowed", "endpoint": endpoint, "user_id": account.id}


def test_a_form_from_elsewhere_leaves_a_line(app: Flask, settings: Settings, make_user: MakeUser) -> None:
    account, browser = make_user(), Browser(app)
    browser.be(account, settings)

    with capture_logs() as lines:
        assert browser.send("/account/logout-everywhere", {"csrf_token": "f" * 64}).status_code == 403

    [line] = written(lines)
    assert (line["event"], line["why"], line["endpoint"]) == (
        "access refused",
        "ForgedForm",
        "account.logout_everywhere",
    )


def test_results_that_are_not_shown_yet_are_no_refusal(
    api: ApiClient, make_competition: Callable[..., Competition]
) -> None:
    """Thousands look at them before the close, and may."""
    one = make_competition(results_visibility="after_close")

    with capture_logs() as lines:
        assert api.get(f"/api/competitions/{one.id}/results").status_code == 403

    assert lines == []


def test_the_worker_writes_what_it_does_on_time(
    owner: Database, log: BallotLog, settings: Settings, worker: Worker, make_user: MakeUser,
    make_competition: Callable[..., Competition], capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    one = make_competition()
    cast(settings, one.id, make_user().id, "a")

    with capture_logs() as lines:
        worker.step()

    [batch] = [line for line in lines if line["event"] == "batch"]
    kinds = {kind["title"]: kind for kind in schema()["allOf"]}
    assert set(batch) - {"log_level"} <= set(kinds["batch"]["then"]["propertyNames"]["enum"])
