"""Running competitions by API: making, reading, changing, opening, closing, taking away."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.casting import cast
from tests.integration.clients import ApiClient
from vote.config import Settings
from vote.db.users import Account
from vote.worker.worker import Worker

ALL = "/api/admin/competitions"
QUESTION = {"name": "Which stage?", "option_a": "River", "option_b": "Hall"}


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


@pytest.fixture
def made(admin: ApiClient) -> dict[str, Any]:
    """A competition, as the API told it, with its ETag."""
    answer = admin.post(ALL, json=QUESTION)
    assert answer.status_code == 201
    return {**answer.get_json(), "etag": answer.headers["ETag"], "path": f"{ALL}/{answer.get_json()['id']}"}


def test_a_competition_is_open_at_once(admin: ApiClient, api: ApiClient) -> None:
    answer = admin.post(ALL, json=QUESTION)

    assert answer.status_code == 201
    body = answer.get_json()
    assert answer.headers["Location"] == f"/api/competitions/{body['id']}"
    assert answer.headers["ETag"]
    assert body["state"] == "open"
    assert [(option["key"], option["label"]) for option in body["options"]] == [("a", "River"), ("b", "Hall")]
    assert (body["allow_change"], body["results_visibility"]) == (False, "live")
    assert api.get(answer.headers["Location"]).status_code == 200


def test_it_is_made_of_a_form_too(admin: ApiClient, subtests: pytest.Subtests) -> None:
    for content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        for options in ({"option_a": "A", "option_b": "B", "option_c": "C"}, {"options": ["A", "B", "C"]}):
            with subtests.test(content_type, options=options):
                form = {"name": "Q", "allow_change": "true", **options}
                answer = admin("POST", ALL, data=form, content_type=content_type)

                assert answer.status_code == 201
                assert [option["label"] for option in answer.get_json()["options"]] == ["A", "B", "C"]
                assert answer.get_json()["allow_change"] is True


def test_times_and_drafts_decide_the_first_state(admin: ApiClient, subtests: pytest.Subtests) -> None:
    for fields, state in [
        ({"opens_at": in_hours(1)}, "scheduled"),
        ({"opens_at": in_hours(-1), "closes_at": in_hours(1)}, "open"),
        ({"draft": True}, "draft"),
    ]:
        with subtests.test(state):
            assert admin.post(ALL, json={**QUESTION, **fields}).get_json()["state"] == state
    for fields in ({"closes_at": in_hours(-1)}, {"opens_at": in_hours(2), "closes_at": in_hours(1)}):
        with subtests.test("refused", fields=fields):
            answer = admin.post(ALL, json={**QUESTION, **fields})
            assert answer.status_code == 422
            assert answer.get_json()["errors"].keys() == {"closes_at"}


def test_an_organiser_runs_the_own_ones_only(
    admin: ApiClient, make_user: Callable[..., Account], as_user: Callable[[Account], ApiClient], made: dict[str, Any]
) -> None:
    organiser = as_user(make_user(role="organiser"))
    own = organiser.post(ALL, json=QUESTION).get_json()["id"]

    assert [one["id"] for one in organiser.get(ALL).get_json()["competitions"]] == [own]
    assert {one["id"] for one in admin.get(ALL).get_json()["competitions"]} == {own, made["id"]}
    for method, path in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/open"), ("POST", "/close")]:
        answer = organiser(method, made["path"] + path, json={}, headers={"If-Match": "*"})
        assert answer.status_code == 403
    assert admin.get(f"{ALL}/{own}").status_code == 200


def test_a_change_needs_the_version_it_changes(
    admin: ApiClient, made: dict[str, Any], subtests: pytest.Subtests
) -> None:
    path, etag = made["path"], made["etag"]
    assert admin.patch(path, json={"name": "New"}).status_code == 428
    assert admin.delete(path).status_code == 428
    for stale in ('"1-99"', f"W/{etag}", '""'):
        with subtests.test(stale):
            assert admin.patch(path, json={"name": "New"}, headers={"If-Match": stale}).status_code == 412
            assert admin.delete(path, headers={"If-Match": stale}).status_code == 412
    for unreadable in ("", " ", ",", etag.strip('"'), f"{etag}x", f"*, {etag}"):
        with subtests.test(unreadable):
            answer = admin.patch(path, json={"name": "New"}, headers={"If-Match": unreadable})
            assert answer.status_code == 400
            assert "with its quotes" in answer.get_json()["detail"]
            assert admin.delete(path, headers={"If-Match": unreadable}).status_code == 400
    assert admin.get(path).get_json()["name"] == "Which stage?"

    changed = admin.patch(path, json={"name": "New"}, headers={"If-Match": f'"0-0", {etag}'})

    assert changed.status_code == 200
    assert changed.get_json()["name"] == "New"
    assert changed.headers["ETag"] != etag
    assert admin.get(path).headers["ETag"] == changed.headers["ETag"]
    assert admin.patch(path, json={"name": "Newer"}, headers={"If-Match": etag}).status_code == 412
    assert admin.patch(path, json={"name": "Newest"}, headers={"If-Match": "*"}).status_code == 200


def test_what_voters_were_promised_stays(admin: ApiClient, made: dict[str, Any], subtests: pytest.Subtests) -> None:
    any_version = {"If-Match": "*"}
    for fields in ({"options": ["A", "B"]}, {"allow_change": True}, {"opens_at": in_hours(1)}):
        with subtests.test(fields=fields):
            answer = admin.patch(made["path"], json=fields, headers=any_version)
            assert answer.status_code == 409
    hidden = admin.patch(made["path"], json={"results_visibility": "after_close"}, headers=any_version)
    shown = admin.patch(made["path"], json={"results_visibility": "live"}, headers=any_version)
    assert (hidden.status_code, shown.status_code) == (200, 409)


def test_a_draft_may_change_altogether(admin: ApiClient) -> None:
    path = f"{ALL}/{admin.post(ALL, json={**QUESTION, 'draft': True}).get_json()['id']}"

    answer = admin.patch(
        path,
        json={"options": ["X", "Y", "Z"], "allow_change": True, "closes_at": in_hours(3)},
        headers={"If-Match": "*"},
    )

    assert answer.status_code == 200
    assert [option["label"] for option in answer.get_json()["options"]] == ["X", "Y", "Z"]
    assert answer.get_json()["closes_at"] is not None
    without = admin.patch(path, json={"closes_at": None}, headers={"If-Match": "*"})
    assert without.get_json()["closes_at"] is None


def test_the_same_options_again_are_no_change(
    admin: ApiClient, settings: Settings, worker: Worker, made: dict[str, Any], make_user: Callable[..., Account]
) -> None:
    cast(settings, made["id"], make_user().id, "a")
    worker.step()

    same = admin.patch(made["path"], json={"options": ["River", "Hall"], "closes_at": None}, headers={"If-Match": "*"})

    assert same.status_code == 200
    assert same.get_json()["options"] == made["options"]


def test_what_is_scheduled_keeps_a_time_to_open(admin: ApiClient) -> None:
    path = f"{ALL}/{admin.post(ALL, json={**QUESTION, 'opens_at': in_hours(1)}).get_json()['id']}"

    answer = admin.patch(path, json={"opens_at": None}, headers={"If-Match": "*"})

    assert answer.status_code == 422
    assert answer.get_json()["errors"].keys() == {"opens_at"}
    later = admin.patch(path, json={"opens_at": in_hours(2)}, headers={"If-Match": "*"})
    assert (later.status_code, later.get_json()["state"]) == (200, "scheduled")


def test_opening_and_closing_twice_changes_nothing(admin: ApiClient) -> None:
    path = f"{ALL}/{admin.post(ALL, json={**QUESTION, 'draft': True}).get_json()['id']}"

    opened = admin.post(f"{path}/open")
    again = admin.post(f"{path}/open", json={})
    closing = admin.post(f"{path}/close")
    still = admin("POST", f"{path}/close", data="", content_type="application/json")

    assert (opened.status_code, opened.get_json()["state"]) == (200, "open")
    assert again.headers["ETag"] == opened.headers["ETag"]
    assert (closing.status_code, closing.get_json()["state"]) == (202, "closing")
    assert (still.status_code, still.headers["ETag"]) == (202, closing.headers["ETag"])


def test_a_draft_cannot_be_closed(admin: ApiClient) -> None:
    path = f"{ALL}/{admin.post(ALL, json={**QUESTION, 'draft': True}).get_json()['id']}"

    answer = admin.post(f"{path}/close")

    assert answer.status_code == 409
    assert answer.get_json()["detail"]


def test_what_people_vote_in_is_not_taken_away(
    admin: ApiClient, api: ApiClient, settings: Settings, worker: Worker, make_user: Callable[..., Account]
) -> None:
    number = admin.post(ALL, json=QUESTION).get_json()["id"]
    cast(settings, number, make_user().id, "a")
    worker.step()

    assert admin.delete(f"{ALL}/{number}", headers={"If-Match": "*"}).status_code == 409
    assert api.get(f"/api/competitions/{number}").status_code == 200


def test_what_is_taken_away_is_gone(admin: ApiClient, api: ApiClient) -> None:
    for fields in ({}, {"draft": True}):
        number = admin.post(ALL, json={**QUESTION, **fields}).get_json()["id"]
        assert admin.delete(f"{ALL}/{number}", headers={"If-Match": "*"}).status_code == 204
        assert api.get(f"/api/competitions/{number}").status_code == 404
        assert admin.get(f"{ALL}/{number}").status_code == 404
        assert admin.post(f"{ALL}/{number}/open").status_code == 404
    assert admin.get(ALL).get_json()["competitions"] == []


def test_a_body_that_is_wrong_with_any_version_is_said_to_be_before_a_stale_one(admin: ApiClient) -> None:
    number = admin.post("/api/admin/competitions", json={"name": "Q", "options": ["A", "B"]}).get_json()["id"]
    stale = {"If-Match": '"another"'}

    wrong = admin.patch(f"/api/admin/competitions/{number}", json={"name": ""}, headers=stale)
    right = admin.patch(f"/api/admin/competitions/{number}", json={"name": "R"}, headers=stale)

    assert (wrong.status_code, right.status_code) == (422, 412)
