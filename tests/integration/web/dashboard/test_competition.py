"""The dashboard's pages of competitions: what they say after a step, of who did what, and where they lead."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.integration.clients import PASSWORD, ApiClient, Browser
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.worker import schedule
from vote.worker.worker import Worker

MakeCompetition = Callable[..., Competition]
MakeUser = Callable[..., Account]


@pytest.fixture
def dashboard(browser: Browser, make_user: MakeUser, settings: Settings) -> Browser:
    """An admin's browser."""
    browser.be(make_user(username="ada", role="admin"), settings)
    return browser


def record_and_finish(worker: Worker) -> None:
    """Record what is in the log, and make final what is closing: at once, whenever the schedule ran last."""
    worker.step()
    schedule.finish_closings(worker.db)


def test_what_a_step_did_is_said_as_long_as_it_is_so(
    dashboard: Browser, make_competition: MakeCompetition, worker: Worker
) -> None:
    page = f"/admin/competitions/{make_competition().id}"

    done = dashboard.submit(page, f"{page}/close").location
    assert done == f"{page}?done=close"
    assert "Voting is closing. No more ballots are accepted." in dashboard.get(done).text
    record_and_finish(worker)
    told = dashboard.get(done).text
    assert "Voting is closing" not in told
    assert "Voting is closed, and the result is final." in told
    again = dashboard.submit(page, f"{page}/reopen").location
    assert "Voting is open again." in dashboard.get(again).text
    assert "Voting is clos" not in dashboard.get(done).text
    dashboard.submit(page, f"{page}/close")
    for gone in (again, f"{page}?done=finish"):
        assert 'role="status"' not in dashboard.get(gone).text


def rows_of(page: str) -> list[str]:
    """Who did what, newest first, from the list of what was done."""
    table = page.partition('<h2 id="audit">')[2]
    return [" ".join(row.split()) for row in re.findall(r"<tr><td>.*?</td><td>(.*?)</td></tr>", table, re.DOTALL)]


def test_nobody_can_be_called_like_a_part_of_the_system(
    dashboard: Browser,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    worker: Worker,
    owner: Database,
    log: BallotLog,
) -> None:
    namesake = make_user(username="schedule", role="organiser")
    one = make_competition(by=namesake.person)
    change.close_voting(owner, log, one.id, by=namesake.person)
    record_and_finish(worker)

    rows = rows_of(dashboard.get(f"/admin/competitions/{one.id}").text)

    final = "made the result final: no ballots were left to count"
    name = f'<a class="person" href="/admin/people/{namesake.id}" dir="auto">schedule</a>'
    assert rows[:2] == [
        f'<span class="no-person">the system, automatically</span></td><td class="all">{final}',
        f'{name}</td><td class="all">closed voting',
    ]


def test_an_organiser_sees_who_it_was_without_a_way_to_the_account(
    browser: Browser, settings: Settings, make_user: MakeUser, make_competition: MakeCompetition, owner: Database
) -> None:
    noor, gone = make_user(username="noor", role="organiser"), make_user(username="gone", role="admin")
    make_user(role="admin")  # who stays
    one = make_competition(by=noor.person)
    with owner.transaction(by=gone.id) as tx:
        tx.execute("UPDATE competitions SET name = 'Another' WHERE id = %s", (one.id,))
        tx.execute("SELECT erase_person(%s)", (gone.id,))
    browser.be(noor, settings)

    page = browser.get(f"/admin/competitions/{one.id}").text

    assert rows_of(page)[0].startswith(f'<span class="person" dir="auto">account {gone.id}</span>')
    assert '<span class="person" dir="auto">noor</span>' in page
    assert "/admin/people/" not in page


def test_times_of_what_was_done_are_written_as_elsewhere(
    dashboard: Browser, make_competition: MakeCompetition, owner: Database, log: BallotLog, organiser: Person
) -> None:
    one = make_competition(closes_at=datetime(2035, 6, 1, 21, 49, tzinfo=UTC))
    change.change(owner, log, one.id, by=organiser, if_match=None, closes_at=None)

    told = rows_of(dashboard.get(f"/admin/competitions/{one.id}").text)[0]

    time = '<time datetime="2035-06-01T21:49:00Z" data-moment>1 June 2035, 21:49 UTC</time>'
    assert told.endswith(f'<td class="all">changed closing time: {time} → nothing')


def test_the_page_of_a_person_tells_parts_from_people_too(dashboard: Browser, api: ApiClient, owner: Database) -> None:
    new = {"username": "register", "email": "r@example.com", "password": PASSWORD, "confirm_password": PASSWORD}
    made = api.post("/register", json=new).get_json()["user"]["id"]

    told = rows_of(dashboard.get(f"/admin/people/{made}").text)[-1]

    assert told == '<span class="no-person">by registering</span></td><td class="all">created as voter'
