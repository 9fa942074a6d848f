"""The dashboard and the public pages when a result waits for an admin's word, and after it."""

from collections.abc import Callable

import pytest

from tests.casting import cast
from tests.integration.clients import PASSWORD, ApiClient, Browser
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import shard_positions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]

WHY = "The log's disk was replaced; nobody complained."


@pytest.fixture
def admins_browser(browser: Browser, make_user: MakeUser) -> Browser:
    browser.log_in(make_user(username="ada", role="admin", password=PASSWORD))
    return browser


def test_the_dashboard_asks_once_and_keeps_what_was_written(admins_browser: Browser, over_a_gap: Competition) -> None:
    page = f"/admin/competitions/{over_a_gap.id}"
    assert "This result is waiting for your decision" in admins_browser.get(page).text
    assert "8 gaps in the ballot log are waiting for a decision" in admins_browser.get("/admin").text

    empty = admins_browser.submit(page, f"{page}/finish", reason="  ")
    assert empty.status_code == 422
    assert "This field is required." in empty.text
    asked = admins_browser.submit(page, f"{page}/finish", reason=WHY)
    assert asked.status_code == 200
    assert "Make this result final?" in asked.text
    assert "The log&#39;s disk was replaced" in asked.text
    assert "Closing" in admins_browser.get(page).text

    done = admins_browser.submit(page, f"{page}/finish", reason=WHY, sure="yes")
    assert done.headers["Location"].endswith("?done=finish")
    told = admins_browser.get(page).text
    assert "decided that the result stands despite 8 gaps in the ballot log" in told
    late = admins_browser.submit(page, f"{page}/finish", reason=WHY)
    assert late.status_code == 409
    assert "No decision is needed" in late.text


def test_an_organiser_sees_that_an_admin_must_decide(
    browser: Browser, make_user: MakeUser, owner: Database, over_a_gap: Competition
) -> None:
    account = make_user(role="organiser", password=PASSWORD)
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE competitions SET organiser_id = %s WHERE id = %s", (account.id, over_a_gap.id))
    browser.log_in(account)
    page = f"/admin/competitions/{over_a_gap.id}"

    told = browser.get(page).text

    assert "This result is waiting for an admin" in told
    assert f'action="{page}/finish"' not in told
    dashboard = browser.get("/admin").text
    assert "waiting for an admin" in dashboard
    assert "/admin/gaps" not in dashboard
    assert browser.get("/admin/gaps").status_code == 403
    assert browser.submit(page, f"{page}/finish", reason=WHY, sure="yes").status_code == 403


def numbers(owner: Database) -> list[str]:
    with owner.read() as tx:
        return [str(gap.id) for gap in shard_positions.open_gaps(tx)]


def test_gaps_are_decided_together_after_being_asked_about(
    admins_browser: Browser, owner: Database, over_a_gap: Competition, set_one_aside: Callable[[int], None]
) -> None:
    set_one_aside(over_a_gap.id)
    told = admins_browser.get("/admin/gaps").text
    assert f"/admin/competitions/{over_a_gap.id}" in told
    assert "account 4711" in told
    assert "4711 q" not in told

    wrong = admins_browser.submit("/admin/gaps", "/admin/gaps", reason="", gap=["x", "99999"])
    assert wrong.status_code == 422
    assert "Choose at least one gap." in wrong.text
    assert "This field is required." in wrong.text
    two = numbers(owner)[:2]
    asked = admins_browser.submit("/admin/gaps", "/admin/gaps", reason=WHY, gap=two)
    assert "Release results held by these 2 gaps?" in asked.text
    assert "8 gaps" in admins_browser.get("/admin").text

    done = admins_browser.submit("/admin/gaps", "/admin/gaps", reason=WHY, gap=two, sure="yes")

    assert done.status_code == 303
    assert "6 gaps" in admins_browser.get("/admin").text
    assert "ada" in admins_browser.get("/admin/gaps").text.partition("Decided")[2]


def test_decided_breaks_are_found_from_the_dashboard(
    admins_browser: Browser, owner: Database, worker: Worker, log: BallotLog
) -> None:
    link = 'href="/admin/gaps"'
    assert link not in admins_browser.get("/admin").text, "there never was one"
    log._call("FLUSHALL")
    worker.step()

    done = admins_browser.submit("/admin/gaps", "/admin/gaps", reason=WHY, gap=numbers(owner), sure="yes")

    assert done.status_code == 303
    dashboard = admins_browser.get("/admin").text
    assert "are waiting for a decision" not in dashboard
    assert f"<a {link}>All gaps in the ballot log and the decisions about them</a>" in dashboard


def test_everybody_is_told_what_a_result_waits_for_and_stands_over(
    admins_browser: Browser,
    browser: Browser,
    api: ApiClient,
    owner: Database,
    log: BallotLog,
    worker: Worker,
    settings: Settings,
    make_user: MakeUser,
    wiped: Competition,
) -> None:
    page, reading = f"/results/{wiped.id}", {"headers": {"Accept": "text/html"}}
    cast(settings, wiped.id, make_user().id, "b")
    change.close_voting(owner, log, wiped.id, by="tests")
    assert "Closing: 1 ballot is still being counted." in api.get(page, **reading).text

    worker.step()
    sentence = "The result is waiting for an admin, because the ballot log has a gap."
    assert sentence in api.get(page, **reading).text
    assert sentence in api.get(f"/vote/{wiped.id}", **reading).text

    admins_browser.submit(
        f"/admin/competitions/{wiped.id}", f"/admin/competitions/{wiped.id}/finish", reason=WHY, sure="yes"
    )
    told = api.get(page, **reading).text
    assert "Final, by an admin" in told
    assert "Every accepted ballot is counted." not in told
    assert "Final, by an admin" in api.get(f"/vote/{wiped.id}", **reading).text
