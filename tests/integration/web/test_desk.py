"""The desk's pages of competitions: what they say after a step, of who did what, and where they lead."""

from collections.abc import Callable

import pytest

from tests.integration.web.conftest import Browser
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker import schedule
from vote.worker.worker import Worker

MakeCompetition = Callable[..., Competition]


@pytest.fixture
def desk(browser: Browser, make_user: Callable[..., Account], settings: Settings) -> Browser:
    """An admin's browser."""
    browser.be(make_user(username="ada", role="admin"), settings)
    return browser


def record_and_finish(worker: Worker) -> None:
    """Record what is in the log, and make final what is closing: at once, whenever the schedule ran last."""
    worker.step()
    schedule.finish_closings(worker.db)


def test_what_a_step_did_is_said_as_long_as_it_is_so(
    desk: Browser, make_competition: MakeCompetition, worker: Worker
) -> None:
    page = f"/admin/competitions/{make_competition().id}"

    done = desk.submit(page, f"{page}/close").location
    assert done == f"{page}?done=close"
    assert "Voting is closing: no more ballots are taken." in desk.get(done).text
    record_and_finish(worker)
    told = desk.get(done).text
    assert "Voting is closing" not in told
    assert "Voting is closed, and the result is final." in told
    again = desk.submit(page, f"{page}/reopen").location
    assert "Voting is open again." in desk.get(again).text
    assert "Voting is clos" not in desk.get(done).text
    desk.submit(page, f"{page}/close")
    for gone in (again, f"{page}?done=finish"):
        assert 'role="status"' not in desk.get(gone).text
