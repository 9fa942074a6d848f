"""Competitions, results and receipts as anybody reads them: who sees what, and when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.casting import cast
from tests.integration.clients import ApiClient, wait_until
from tests.servers import Pair
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.receipt import receipt_code
from vote.services.container import Services
from vote.web.api import receipts
from vote.worker.worker import Worker

Make = Callable[..., Competition]


def test_the_list_has_what_anybody_may_find(api: ApiClient, make_competition: Make) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    shown = make_competition()
    coming = make_competition(opens_at=later)
    make_competition(draft=True)

    listed = api.get("/api/competitions").get_json()["competitions"]

    assert [one["id"] for one in listed] == [coming.id, shown.id]
    assert listed[0]["state"] == "scheduled"
    assert listed[1]["options"] == [
        {"key": "a", "label": "River stage", "description": ""},
        {"key": "b", "label": "Hall stage", "description": ""},
    ]
    assert "receipt_key" not in listed[0]
    assert "rules_version" not in listed[0]


def test_a_draft_is_there_only_for_who_runs_it(
    api: ApiClient,
    admin: ApiClient,
    voter: ApiClient,
    make_user: Callable[..., Account],
    as_user: Callable[[Account], ApiClient],
    make_competition: Make,
) -> None:
    own = make_user(role="organiser")
    draft = make_competition(draft=True, by=own.person)

    for client, status in [
        (api, 404),
        (voter, 404),
        (as_user(make_user(role="organiser")), 404),
        (as_user(own), 200),
        (admin, 200),
    ]:
        assert client.get(f"/api/competitions/{draft.id}").status_code == status
        assert client.get(f"/api/competitions/{draft.id}/results").status_code == status


def test_results_have_every_option_and_a_version_to_wait_for(
    api: ApiClient,
    voter: ApiClient,
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Make,
) -> None:
    one = make_competition()
    path = f"/api/competitions/{one.id}/results"

    before = api.get(path)
    for odd in ('""', "", '"', "W/", '"x", ""', "*x"):
        assert api.get(path, headers={"If-None-Match": odd}).status_code == 200
    assert before.get_json() == {
        "competition": one.id,
        "version": 0,
        "state": "open",
        "total": 0,
        "options": {"a": 0, "b": 0},
    }
    assert list(before.get_json()) == ["competition", "version", "state", "total", "options"]
    etag = {"If-None-Match": before.headers["ETag"]}
    assert api.get(path, headers=etag).status_code == 304

    cast(settings, one.id, make_user().id, "b")
    worker.step()

    after = api.get(path, headers=etag)
    assert after.status_code == 200
    assert after.get_json()["options"] == {"a": 0, "b": 1}
    assert after.get_json()["version"] > 0


def test_results_after_a_vote(
    api: ApiClient,
    admin: ApiClient,
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    as_user: Callable[[Account], ApiClient],
    make_competition: Make,
) -> None:
    one = make_competition(results_visibility="after_vote")
    path = f"/api/competitions/{one.id}/results"
    ada = make_user()

    assert api.get(path).status_code == 403
    assert as_user(ada).get(path).status_code == 403
    assert "once you have voted" in as_user(ada).get(path).get_json()["detail"]
    assert admin.get(path).status_code == 200

    cast(settings, one.id, ada.id, "a")
    assert as_user(ada).get(path).status_code == 200, "an accepted ballot counts before it is recorded"
    worker.step()
    assert as_user(ada).get(path).status_code == 200
    assert as_user(make_user()).get(path).status_code == 403


def test_results_after_the_close(
    api: ApiClient, admin: ApiClient, voter: ApiClient, worker: Worker, make_competition: Make
) -> None:
    one = make_competition(results_visibility="after_close")
    path = f"/api/competitions/{one.id}/results"
    assert voter.get(path).status_code == 403

    assert admin.post(f"/api/admin/competitions/{one.id}/close").status_code == 202
    assert voter.get(path).status_code == 403, "closing is not closed"

    def is_shown() -> bool:
        worker.step()
        return api.get(path).status_code == 200

    wait_until(is_shown, seconds=5)
    assert api.get(path).get_json()["state"] == "closed"
    assert admin.post(f"/api/admin/competitions/{one.id}/close").status_code == 200


NO_IDS = ["0", "-1", "01", "4503599627370496", "9" * 20, "1.0", "a", "%D9%A1", "1%00", "%F0%9F%98%80"]


def test_what_is_no_id_is_not_found(api: ApiClient, admin: ApiClient, subtests: pytest.Subtests) -> None:
    for number in NO_IDS:
        for client, path in [
            (api, f"/api/competitions/{number}"),
            (api, f"/api/competitions/{number}/results"),
            (admin, f"/api/admin/competitions/{number}"),
        ]:
            with subtests.test(path):
                answer = client.get(path)
                assert answer.status_code == 404
                assert answer.content_type == "application/problem+json"


def test_the_highest_id_is_only_not_there(api: ApiClient, admin: ApiClient) -> None:
    assert api.get("/api/competitions/4503599627370495").get_json()["detail"] == "There is no such competition."
    assert admin.post("/api/admin/competitions/4503599627370495/close").status_code == 404


# --- receipts ------------------------------------------------------------------------------------------------------------
def test_a_receipt_is_accepted_then_recorded(
    api: ApiClient, settings: Settings, worker: Worker, make_user: Callable[..., Account], make_competition: Make
) -> None:
    one, ada = make_competition(), make_user()
    worker.step()
    code = receipt_code(one.receipt_key, ada.id)
    assert api.get(f"/api/receipts/{code}").status_code == 404

    cast(settings, one.id, ada.id, "a")
    assert api.get(f"/api/receipts/{code}").get_json() == {"status": "accepted"}
    worker.step()
    assert api.get(f"/api/receipts/{code}").get_json() == {"status": "recorded"}

    typed = code.lower().replace("-", "%20")
    assert api.get(f"/api/receipts/{typed}").get_json() == {"status": "recorded"}
    assert api.get(f"/api/receipts/{code.replace('-', '')}").get_json() == {"status": "recorded"}


NO_RECEIPTS = ["x", "AAAA-BBBB-CCCC-DDDD", "A" * 5000, "%00", "0189-0189-0189-0189", "ü" * 16, "%ff", "🗳"]


def test_a_receipt_of_nobody_is_not_found(api: ApiClient, worker: Worker, subtests: pytest.Subtests) -> None:
    for code in NO_RECEIPTS:
        with subtests.test(code[:20]):
            answer = api.get(f"/api/receipts/{code}")

            assert answer.status_code == 404
            assert answer.get_json()["status"] == 404


def test_a_receipt_behind_too_many_others_is_not_denied(
    api: ApiClient,
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = make_competition()
    worker.step()
    voters = [make_user().id for _ in range(3)]
    for voter in voters:
        cast(settings, one.id, voter, "a")
    monkeypatch.setattr(receipts, "LOOK_THROUGH", 2)

    answer = api.get("/api/receipts/AAAA-BBBB-CCCC-DDDD")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"


def test_with_the_log_down_a_recorded_receipt_is_known_and_another_not_denied(
    api: ApiClient,
    services: Services,
    settings: Settings,
    servers: Pair,
    worker: Worker,
    make_user: Callable[..., Account],
    as_user: Callable[[Account], ApiClient],
    make_competition: Make,
) -> None:
    one, ada = make_competition(results_visibility="after_vote"), make_user()
    cast(settings, one.id, ada.id, "a")
    worker.step()
    servers.kill_log()
    try:
        recorded = api.get(f"/api/receipts/{receipt_code(one.receipt_key, ada.id)}")
        unknown = api.get("/api/receipts/AAAA-BBBB-CCCC-DDDD")
        voted = as_user(ada).get(f"/api/competitions/{one.id}/results")
        not_voted = as_user(make_user()).get(f"/api/competitions/{one.id}/results")
    finally:
        servers.restart_log()

    assert recorded.get_json() == {"status": "recorded"}
    assert unknown.status_code == 503
    assert voted.status_code == 200
    assert not_voted.status_code == 403
