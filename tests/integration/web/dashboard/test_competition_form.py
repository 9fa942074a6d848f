"""The form of a competition on the dashboard when it is shown again: what is fixed, what is stored, what is marked."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from werkzeug.test import TestResponse

from tests.integration.clients import Browser
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competitions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition

MakeCompetition = Callable[..., Competition]

STORED = re.compile(r'<p class="stored">(.*?)</p>')
CLOSES = datetime(2035, 6, 1, 21, 49, tzinfo=UTC)
IN_BERLIN = {"closes_at": "2035-06-01T23:49", "zone": "Europe/Berlin"}


@pytest.fixture
def dashboard(browser: Browser, make_user: Callable[..., Account], settings: Settings) -> Browser:
    """An admin's browser."""
    browser.be(make_user(role="admin"), settings)
    return browser


def save(dashboard: Browser, one: Competition, **fields: object) -> TestResponse:
    """Send the form of an open competition as a browser does: without the fields that are fixed."""
    page = f"/admin/competitions/{one.id}"
    sent = {"name": one.name, "results_visibility": one.results_visibility, "closes_at": "", "zone": "UTC"}
    return dashboard.submit(page, page, **{**sent, "if_match": one.etag, **fields})


def stored(answer: TestResponse) -> list[str]:
    """What the page says is stored, beside the fields that say something else."""
    return [re.sub(r"<[^>]+>", "", text) for text in STORED.findall(answer.text)]


@pytest.mark.parametrize("wrong", [{"name": ""}, {"closes_at": "2020-01-01T00:00"}])
def test_what_is_fixed_is_shown_as_it_is_stored_beside_an_error(
    dashboard: Browser, make_competition: MakeCompetition, wrong: dict[str, str]
) -> None:
    answer = save(dashboard, make_competition(allow_change=True), **wrong)

    assert answer.status_code == 422
    assert "Voters can change their vote. Fixed once voting has started." in answer.text
    assert "<bdi>River stage</bdi>, <bdi>Hall stage</bdi>. Fixed once voting has started" in answer.text


def test_a_closed_competition_keeps_what_is_fixed_too(
    dashboard: Browser, make_competition: MakeCompetition, owner: Database, log: BallotLog
) -> None:
    one = make_competition(allow_change=True)
    change.close_voting(owner, log, one.id, by="tests")
    page = f"/admin/competitions/{one.id}"

    answer = dashboard.submit(page, page, name="", results_visibility="live")

    assert answer.status_code == 422
    assert "Voters can change their vote. Fixed" in answer.text
    assert "<bdi>River stage</bdi>, <bdi>Hall stage</bdi>. Fixed" in answer.text


def test_a_closing_time_that_the_form_did_not_offer_stays(
    dashboard: Browser, make_competition: MakeCompetition, owner: Database
) -> None:
    one = make_competition(closes_at=CLOSES)
    page = f"/admin/competitions/{one.id}"

    overtaken = dashboard.submit(
        page, page, name="Mine", results_visibility="live", if_match='"loaded while it was closed"'
    )
    assert overtaken.status_code == 412
    assert 'value="2035-06-01T21:49"' in overtaken.text
    assert stored(overtaken) == ["Stored now: Which stage?"]
    assert dashboard.submit(page, page, name="Mine", results_visibility="live", if_match=one.etag).status_code == 303

    with owner.read() as tx:
        found = competitions.find(tx, one.id)
    assert found is not None
    assert (found.name, found.closes_at) == ("Mine", CLOSES)


def test_the_same_moment_in_another_zone_is_no_difference(
    dashboard: Browser, make_competition: MakeCompetition
) -> None:
    one = make_competition(description="Two\nlines", closes_at=CLOSES.replace(microsecond=250_000))
    same = {"description": "Two\r\nlines ", **IN_BERLIN}

    overtaken = save(dashboard, one, name="Mine", if_match='"other"', **same)

    assert overtaken.status_code == 412
    assert stored(overtaken) == ["Stored now: Which stage?"]
    assert 'value="2035-06-01T23:49"' in overtaken.text
    assert save(dashboard, one, **same).location.endswith("?done=same")


def test_another_moment_is_shown_as_times_are_shown_elsewhere(
    dashboard: Browser, make_competition: MakeCompetition
) -> None:
    one = make_competition(closes_at=CLOSES)

    overtaken = save(dashboard, one, if_match='"other"', closes_at="2035-06-02T00:00", zone="Europe/Berlin")

    assert stored(overtaken) == ["Stored now: closes 1 June 2035, 21:49 UTC"]
    assert '<time datetime="2035-06-01T21:49:00Z" data-moment>' in overtaken.text
    assert stored(save(dashboard, make_competition(), if_match='"other"', **IN_BERLIN)) == [
        "Stored now: closes manually"
    ]


def test_a_refused_visibility_stands_beside_the_stored_one_alone(
    dashboard: Browser, make_competition: MakeCompetition
) -> None:
    one = make_competition(results_visibility="after_close", closes_at=CLOSES)

    refused = save(dashboard, one, results_visibility="live", **IN_BERLIN)

    assert refused.status_code == 409
    assert stored(refused) == ["Stored now: Everyone, after voting has ended"]


def test_every_field_of_a_draft_stands_beside_what_is_stored(
    dashboard: Browser, make_competition: MakeCompetition
) -> None:
    one = make_competition(draft=True, opens_at=CLOSES)

    overtaken = save(dashboard, one, if_match='"other"', option=["New", "Hall stage"], opens_at="", allow_change="on")

    assert stored(overtaken) == [
        "Stored now: River stage, Hall stage",
        "Stored now: opens 1 June 2035, 21:49 UTC",
        "Stored now: votes cannot be changed",
    ]


def test_an_option_that_repeats_another_is_marked_itself(dashboard: Browser, make_competition: MakeCompetition) -> None:
    draft = make_competition(draft=True)
    page = f"/admin/competitions/{draft.id}"
    labels = ["Ramen", "Pho", "Stew", "Curry", "Pizza", " ramen "]

    for form, path in (("/admin/competitions/new", "/admin/competitions"), (page, page)):
        answer = dashboard.submit(form, path, name="Which dish?", option=labels, closes_at="")
        assert answer.status_code == 422
        marked = re.findall(r"<input [^>]*aria-invalid[^>]*>", answer.text)
        assert len(marked) == 1
        assert 'id="option-f"' in marked[0]
        assert 'aria-describedby="option-f-error" autofocus' in marked[0]
        assert re.search(r'id="option-f-error">.*Two options have the same text', answer.text)
        assert answer.text.count("Two options have the same text") == 1
