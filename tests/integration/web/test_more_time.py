"""More time and opening again: both leave rows in the audit log, with who did it."""

from collections.abc import Callable
from typing import Any

from tests.integration.clients import ApiClient
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]
AsUser = Callable[[Account], ApiClient]


def path_of(competition: Competition) -> str:
    return f"/api/admin/competitions/{competition.id}"


def test_more_time_is_audited(
    as_user: AsUser, make_user: MakeUser, make_competition: MakeCompetition, audited: Callable[[str], Any]
) -> None:
    account = make_user(role="admin")
    admin, competition = as_user(account), make_competition()

    for closes_at in ("2031-01-31T18:00:00Z", "2032-01-31T18:00:00Z"):  # first none, then one that lies ahead
        answer = admin.patch(path_of(competition), json={"closes_at": closes_at}, headers={"If-Match": "*"})
        assert (answer.status_code, answer.get_json()["closes_at"]) == (200, closes_at)

    moves = [(actor, value[:4]) for actor, name, value in audited("competitions") if name == "closes_at" and value]
    assert moves == [(f"user:{account.id}", "2031"), (f"user:{account.id}", "2032")]


def test_opening_again_is_audited_from_closing_and_from_closed(
    as_user: AsUser,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    worker: Worker,
    audited: Callable[[str], Any],
) -> None:
    account = make_user(role="admin")
    admin, competition = as_user(account), make_competition()
    before = len(audited("competitions"))
    who = f"user:{account.id}"

    for state in ("closing", "closed"):
        assert admin.post(f"{path_of(competition)}/close").status_code == 202
        if state == "closed":
            worker._next_schedule = 0
            worker.step()
        assert admin.get(path_of(competition)).get_json()["state"] == state
        assert admin.post(f"{path_of(competition)}/open").get_json()["state"] == "open"

    states = [(actor, value) for actor, name, value in audited("competitions")[before:] if name == "status"]
    assert states == [
        (who, "closing"),
        (who, "open"),
        (who, "closing"),
        ("schedule", "closed"),
        (who, "open"),
    ]
