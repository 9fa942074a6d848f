"""What a closing waits for, gaps and what is set aside, by API: decided by admins only, with a reason, audited."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.casting import cast
from tests.integration.clients import ApiClient
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import users
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.services.container import Services
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]
AsUser = Callable[[Account], ApiClient]

GAPS = "/api/admin/gaps"
WHY = "The log's disk was replaced; nobody complained."


def path_of(competition: Competition) -> str:
    return f"/api/admin/competitions/{competition.id}"


def test_a_closing_one_says_what_it_waits_for(
    admin: ApiClient,
    owner: Database,
    log: BallotLog,
    worker: Worker,
    settings: Settings,
    make_user: MakeUser,
    wiped: Competition,
    set_one_aside: Callable[[int], None],
) -> None:
    assert admin.get(path_of(wiped)).get_json()["waiting_for"] is None
    cast(settings, wiped.id, make_user().id, "b")
    change.close_voting(owner, log, wiped.id, by="tests")
    gaps = [gap["id"] for gap in admin.get(GAPS).get_json()["gaps"]]

    told = admin.get(path_of(wiped)).get_json()
    assert (told["state"], told["waiting_for"]["pending"], told["waiting_for"]["unmatched"]) == ("closing", 1, 0)
    assert sorted(told["waiting_for"]["gaps"]) == sorted(gaps)
    assert len(gaps) == settings.vote_shards

    set_one_aside(wiped.id)
    worker.step()
    told = admin.get(path_of(wiped)).get_json()["waiting_for"]
    assert (told["pending"], told["unmatched"]) == (0, 1)


def test_while_the_log_is_away_nobody_says_how_many_are_pending(
    admin: ApiClient, services: Services, over_a_gap: Competition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.log, "_redis", BallotLog("redis://127.0.0.1:1/0", 8, services.installation)._redis)

    assert admin.get(path_of(over_a_gap)).get_json()["waiting_for"]["pending"] is None


def test_gaps_are_listed_with_what_was_decided(
    as_user: AsUser, make_user: MakeUser, over_a_gap: Competition, audited: Callable[[str], Any]
) -> None:
    account = make_user(role="admin")
    admin = as_user(account)
    first = admin.get(GAPS).get_json()["gaps"][0]
    assert (first["decided_at"], first["decided_by"], first["reason"]) == (None, None, None)
    assert first["old_epoch"] != first["new_epoch"]

    answer = admin.post(f"{GAPS}/{first['id']}/decide", json={"reason": f"  {WHY}  "})

    assert answer.status_code == 204
    last = admin.get(GAPS).get_json()["gaps"][-1]  # what waits stands before what is decided
    assert (last["id"], last["decided_by"], last["reason"]) == (first["id"], account.id, WHY)
    assert last["decided_at"]
    assert audited("log_gaps") == [(f"user:{account.id}", "reason", WHY)]
    assert admin.post(f"{GAPS}/{first['id']}/decide", json={"reason": WHY}).status_code == 404
    assert admin.post(f"{GAPS}/99999/decide", json={"reason": WHY}).status_code == 404


def test_a_reason_is_needed_and_can_be_read(
    admin: ApiClient, over_a_gap: Competition, subtests: pytest.Subtests
) -> None:
    gap = admin.get(GAPS).get_json()["gaps"][0]["id"]
    for body in (
        {},
        {"reason": " \n"},
        {"reason": "x" * 2_001},
        {"reason": "a\0b"},
        {"reason": "\ud800"},
        {"why": WHY},
    ):
        for path in (f"{GAPS}/{gap}/decide", f"{path_of(over_a_gap)}/finish"):
            with subtests.test(path, body=body):
                answer = admin.post(path, json=body)
                assert answer.status_code == 422
                assert answer.get_json()["errors"]
    assert admin.get(path_of(over_a_gap)).get_json()["state"] == "closing"


def test_when_every_gap_is_decided_the_result_is_final_by_itself(
    admin: ApiClient, worker: Worker, over_a_gap: Competition
) -> None:
    for gap in admin.get(GAPS).get_json()["gaps"]:
        assert admin.post(f"{GAPS}/{gap['id']}/decide", json={"reason": WHY}).status_code == 204
    worker._next_schedule = 0
    worker.step()

    told = admin.get(path_of(over_a_gap)).get_json()
    assert (told["state"], told["waiting_for"]) == ("closed", None)


def test_an_admin_finishes_over_a_gap_with_a_reason(
    as_user: AsUser, make_user: MakeUser, over_a_gap: Competition, audited: Callable[[str], Any]
) -> None:
    account = make_user(role="admin")
    admin = as_user(account)

    answer = admin.post(f"{path_of(over_a_gap)}/finish", json={"reason": WHY})

    assert answer.status_code == 200
    assert (answer.get_json()["id"], answer.get_json()["state"]) == (over_a_gap.id, "closed")
    assert answer.headers["ETag"] == admin.get(path_of(over_a_gap)).headers["ETag"]
    assert audited("decisions") == [(f"user:{account.id}", "reason", WHY)]
    assert audited("competitions")[-1] == (f"user:{account.id}", "status", "closed")
    assert admin.post(f"{path_of(over_a_gap)}/finish", json={"reason": WHY}).status_code == 409


def test_nothing_is_finished_that_needs_no_word(
    admin: ApiClient,
    owner: Database,
    log: BallotLog,
    worker: Worker,
    make_competition: MakeCompetition,
    wiped: Competition,
) -> None:
    still_open = make_competition()
    change.close_voting(owner, log, wiped.id, by="tests")  # not drained

    for competition in (still_open, wiped):
        answer = admin.post(f"{path_of(competition)}/finish", json={"reason": WHY})
        assert answer.status_code == 409
        assert answer.get_json()["detail"]
    assert admin.post("/api/admin/competitions/99999/finish", json={"reason": WHY}).status_code == 404
    change.close_voting(owner, log, still_open.id, by="tests")  # younger than the gap: nothing is missing
    for shard in range(log.shards):
        worker.drain(shard)
    assert admin.post(f"{path_of(still_open)}/finish", json={"reason": WHY}).status_code == 409
    assert admin.post(f"{path_of(wiped)}/finish", json={"reason": WHY}).status_code == 200


def test_only_admins_decide(
    as_user: AsUser, voter: ApiClient, api: ApiClient, organiser: Person, owner: Database, over_a_gap: Competition
) -> None:
    with owner.read() as tx:
        account = users.find(tx, organiser.id)
    assert account is not None
    running = as_user(account)
    assert running.get(path_of(over_a_gap)).get_json()["waiting_for"]["gaps"]

    for client, status in ((api, 401), (voter, 403), (running, 403)):
        assert client.get(GAPS).status_code == status
        assert client.get("/api/admin/set-aside").status_code == status
        assert client.post(f"{GAPS}/1/decide", json={"reason": WHY}).status_code == status
        assert client.post(f"{path_of(over_a_gap)}/finish", json={"reason": WHY}).status_code == status


def test_what_is_set_aside_is_counted_and_shows_no_choice(
    admin: ApiClient, make_competition: MakeCompetition, set_one_aside: Callable[[int], None]
) -> None:
    empty = {"count": 0, "latest": []}
    assert admin.get("/api/admin/set-aside").get_json() == {"unmatched": empty, "rejected": empty}
    competition = make_competition()
    set_one_aside(competition.id)

    told = admin.get("/api/admin/set-aside").get_json()

    assert (told["unmatched"]["count"], told["rejected"]["count"]) == (1, 1)
    ballot, entry = told["unmatched"]["latest"][0], told["rejected"]["latest"][0]
    assert ballot.keys() == {"competition", "voter", "shard", "epoch", "position", "cast_at", "noticed_at"}
    assert (ballot["competition"], ballot["voter"], ballot["position"]) == (competition.id, 4711, 17)
    assert entry.keys() == {"shard", "epoch", "position", "reason", "rejected_at"}
    assert entry["reason"] == "no such kind of entry"
