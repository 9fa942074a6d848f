"""An admin looks into a break in the ballot log: the result that waits for it, and the break itself."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.stack import Stack, wait_until
from vote.ballotlog.log import BallotLog
from vote.db import shard_positions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person

pytestmark = pytest.mark.browser

WHY = "The log's disk was replaced. Everybody at the door was asked."


def test_an_admin_decides_over_a_gap(
    open_window: OpenWindow,
    make_competition: Callable[..., Competition],
    make_user: Callable[..., Account],
    token_of: Callable[[Account], str],
    stack: Stack,
    owner: Database,
    log: BallotLog,
    organiser: Person,
) -> None:
    competition = make_competition()
    stack.vote(competition.id, "a", token_of(make_user()))
    wait_until(lambda: stack.results(competition.id)["total"] == 1)
    log._call("FLUSHALL")
    wait_until(lambda: count_gaps(owner) == log.shards, what="every shard's loss is noticed")

    here = f"/admin/competitions/{competition.id}"
    page, watching, dashboard = open_window(make_user(role="admin").person), open_window(), open_window(organiser)
    watching.goto(f"/results/{competition.id}")
    dashboard.goto(f"{here}/close")
    dashboard.get_by_role("button", name="Close now").click()
    expect(dashboard.get_by_role("button", name="Close now")).to_have_count(0)
    wait_until(lambda: "waiting for an admin" in (dashboard.goto(here), dashboard.content())[1])
    expect(dashboard.get_by_text("Only an admin can decide that the result stands")).to_be_visible()
    expect(watching.locator("main > .state")).to_contain_text("Closing")
    watching.reload()
    expect(watching.get_by_text("The result is waiting for an admin")).to_be_visible()

    page.goto("/admin")
    expect(page.get_by_text("8 gaps in the ballot log are waiting for a decision.")).to_be_visible()
    page.get_by_role("link", name=f"Edit {competition.name}").click()
    expect(page.get_by_role("row", name="Shard 3")).to_contain_text("may be missing")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#reason")).to_be_focused()
    expect(page.locator("#reason-error")).to_contain_text("This field is required.")
    page.fill("#reason", WHY)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Make this result final?")).to_be_visible()
    expect(page.get_by_text(WHY)).to_be_visible()
    page.get_by_role("button", name="Make this result final").click()

    expect(page.get_by_text("The result is final.")).to_be_visible()
    expect(page.get_by_text(f"despite 8 gaps in the ballot log: “{WHY}”")).to_be_visible()
    expect(watching.locator("main > .state")).to_contain_text("Closed")
    expect(
        watching.get_by_text("The ballot log had a gap while voting was open").locator("visible=true")
    ).to_be_visible()


def test_an_admin_decides_on_the_gaps_without_a_script(
    open_window: OpenWindow, make_user: Callable[..., Account], stack: Stack, owner: Database, log: BallotLog
) -> None:
    log._call("FLUSHALL")
    wait_until(lambda: count_gaps(owner) == log.shards, what="every shard's loss is noticed")
    page = open_window(make_user(username="ada", role="admin").person, javascript=False)
    page.goto("/admin")
    page.get_by_role("link", name="See what may be missing").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Choose at least one gap.")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(log.shards)
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.fill("#reason", WHY)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Release results").click()

    expect(page.get_by_text("No gap is waiting for a decision.")).to_be_visible()
    expect(page.get_by_role("row", name="Shard 3")).to_contain_text(f"ada{WHY}")
    page.goto("/admin")
    expect(page.get_by_text("are waiting for a decision")).to_have_count(0)
    page.get_by_role("link", name="All gaps in the ballot log").click()
    expect(page.get_by_role("row", name="Shard 3")).to_contain_text(WHY)


def count_gaps(owner: Database) -> int:
    with owner.read() as tx:
        return len(shard_positions.open_gaps(tx))
