"""What is read and sent back as it is changes nothing: no field, no moment, no revision. By form and by API."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.clients import ApiClient, Browser
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition

MakeCompetition = Callable[..., Competition]

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "Africa/Casablanca",  # back and forward around Ramadan
    "Pacific/Apia",  # once left out a day
    "Asia/Kolkata",
    "Asia/Calcutta",  # as some browsers say it
    "Asia/Kathmandu",
    "America/Nuuk",  # before midnight of the day before
)
HOUR = timedelta(hours=1)


class Form(HTMLParser):
    """The fields of the dashboard's form as a browser would send them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._inside, self._area = False, ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._inside = self._inside or (tag == "form" and "data-competition-form" in found)
        if not self._inside or "name" not in found:
            return
        if tag == "textarea":
            self._area = found["name"]
            self.fields[self._area] = [""]
        elif tag == "input" and (found.get("type") not in ("checkbox", "radio") or "checked" in found):
            self.fields.setdefault(found["name"], []).append(found.get("value", "on"))

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area][0] += data if self.fields[self._area][0] else data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        self._area = "" if tag == "textarea" else self._area
        self._inside = self._inside and tag != "form"

    def in_zone(self, zone: str) -> dict[str, list[str]]:
        """What is sent after the script has put the reader's zone, and line breaks as browsers write them."""
        sent = {name: [_as_sent(value) for value in values] for name, values in self.fields.items()}
        for name in ("opens_at", "closes_at"):
            if name in sent and sent[name] != [""] and zone != "UTC":
                at = datetime.fromisoformat(sent[name][0]).replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
                text = at.strftime("%Y-%m-%dT%H:%M" + (":%S" if at.second else ""))
                sent |= {name: [text], f"{name}_shown": [f"{text} {zone}"]}
        return sent | {"zone": [zone]} if "zone" in sent else sent


def _as_sent(value: str) -> str:
    """A value with line breaks as browsers send them (HTML Standard, form submission)."""
    return value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def moments(zone_name: str) -> Iterator[datetime]:
    """Moments around the next changes of the clock, to the microsecond."""
    zone, at = ZoneInfo(zone_name), datetime(2032, 1, 1, tzinfo=UTC)
    found, offset = 0, at.astimezone(zone).utcoffset()
    while at.year < 2034 and found < 4:
        at += HOUR / 2
        if at.astimezone(zone).utcoffset() != offset:
            found, offset = found + 1, at.astimezone(zone).utcoffset()
            yield from (at - HOUR / 2, at + timedelta(seconds=7, microseconds=123_456), at + HOUR / 2, at - HOUR)
    yield at + timedelta(microseconds=1)


def row_of(owner: Database, competition_id: int) -> tuple[Any, ...]:
    """All that is stored of a competition, and of what was done to it."""
    with owner.read() as tx:
        row = tx.execute("SELECT * FROM competitions WHERE id = %s", (competition_id,)).fetchone()
        done = tx.execute("SELECT count(*) FROM audit_log").fetchone()
    assert row is not None
    return (*row, done)


@pytest.fixture
def dashboard(browser: Browser, make_user: Callable[..., Account], settings: Settings) -> Browser:
    browser.be(make_user(role="admin"), settings)
    return browser


@pytest.mark.parametrize("zone", ZONES)
def test_a_form_of_the_dashboard_that_nobody_touched(
    dashboard: Browser, make_competition: MakeCompetition, owner: Database, zone: str
) -> None:
    for number, at in enumerate(moments(zone)):
        fields: dict[str, Any] = {"opens_at": at, "draft": number % 3 == 0} if number % 2 else {}
        one = make_competition(closes_at=at + HOUR / 6, description=f"Two\nlines {number}", **fields)
        page = f"/admin/competitions/{one.id}"
        before = row_of(owner, one.id)

        told = dashboard.send(page, Form(dashboard.get(page).text).in_zone(zone))

        assert told.status_code == 303, told.text
        assert told.location.endswith("?done=same"), at
        assert row_of(owner, one.id) == before, at


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_another_field_that_changes_leaves_the_times(
    dashboard: Browser, make_competition: MakeCompetition, owner: Database, zone: str
) -> None:
    for at in moments(zone):
        one = make_competition(closes_at=at)
        page = f"/admin/competitions/{one.id}"
        sent = Form(dashboard.get(page).text).in_zone(zone) | {"description": ["Another"]}

        assert dashboard.send(page, sent).location.endswith("?done=saved")

        with owner.read() as tx:
            stored = tx.execute("SELECT closes_at, description FROM competitions WHERE id = %s", (one.id,)).fetchone()
        assert stored == (at, "Another")


def test_texts_as_they_were_stored_otherwise(
    dashboard: Browser, make_competition: MakeCompetition, owner: Database
) -> None:
    for text in ("Mac\rlines", "DOS\r\nlines", " blanks around \n", "\n\nempty ones first", "e\u0301 as two", ""):
        one = make_competition(description=text)
        page = f"/admin/competitions/{one.id}"
        before = row_of(owner, one.id)

        assert dashboard.send(page, Form(dashboard.get(page).text).in_zone("UTC")).location.endswith("?done=same"), (
            repr(text)
        )
        assert row_of(owner, one.id) == before


CHANGEABLE = ("name", "description", "opens_at", "closes_at", "allow_change", "results_visibility")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"])
@pytest.mark.parametrize("state", ["draft", "scheduled", "open"])
def test_what_the_api_tells(
    admin: ApiClient, make_competition: MakeCompetition, owner: Database, zone: str, state: str
) -> None:
    for at in list(moments(zone))[:6]:
        opens_at = None if state == "open" else at
        one = make_competition(opens_at=opens_at, closes_at=at + HOUR / 6, draft=state == "draft", allow_change=True)
        assert one.state == state
        path = f"/api/admin/competitions/{one.id}"
        told, before = admin.get(path), row_of(owner, one.id)
        same = {name: told.get_json()[name] for name in CHANGEABLE}
        same["options"] = [option["label"] for option in told.get_json()["options"]]

        answer = admin("PATCH", path, json=same, headers={"If-Match": told.headers["ETag"]})

        assert answer.status_code == 200, answer.get_json()
        assert answer.headers["ETag"] == told.headers["ETag"]
        assert row_of(owner, one.id) == before


def test_the_same_moment_written_with_another_offset(
    admin: ApiClient, make_competition: MakeCompetition, owner: Database
) -> None:
    one = make_competition(closes_at=datetime(2032, 10, 31, 1, 30, tzinfo=UTC))
    path, before = f"/api/admin/competitions/{one.id}", row_of(owner, one.id)

    for text in ("2032-10-31T02:30:00+01:00", "2032-10-30t20:30:00-05:00", "2032-10-31 01:30:00.000000Z"):
        assert admin("PATCH", path, json={"closes_at": text}, headers={"If-Match": one.etag}).status_code == 200
        assert row_of(owner, one.id) == before


def test_a_competition_whose_times_have_passed(
    admin: ApiClient, make_competition: MakeCompetition, owner: Database
) -> None:
    one = make_competition(closes_at=datetime(2032, 1, 1, tzinfo=UTC))
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE competitions SET closes_at = now() - interval '1 minute' WHERE id = %s", (one.id,))
    path = f"/api/admin/competitions/{one.id}"
    told = admin.get(path)

    same = {name: told.get_json()[name] for name in CHANGEABLE}
    answer = admin("PATCH", path, json=same, headers={"If-Match": told.headers["ETag"]})

    assert answer.status_code == 200
    assert answer.headers["ETag"] == told.headers["ETag"]


# --- times that come twice, or not at all ----------------------------------------------------------------------------------


def save(dashboard: Browser, one: Competition, **fields: str) -> Any:
    """Send the form with these fields typed in."""
    page = f"/admin/competitions/{one.id}"
    return dashboard.send(
        page, Form(dashboard.get(page).text).in_zone(fields.get("zone", "UTC")) | {k: [v] for k, v in fields.items()}
    )


@pytest.mark.parametrize(
    ("zone", "text", "first", "second"),
    [
        ("Europe/Berlin", "2032-10-31T02:30", "2032-10-31T00:30:00+00:00", "2032-10-31T01:30:00+00:00"),
        ("America/New_York", "2032-11-07T01:30", "2032-11-07T05:30:00+00:00", "2032-11-07T06:30:00+00:00"),
        ("Australia/Lord_Howe", "2032-04-04T01:45", "2032-04-03T14:45:00+00:00", "2032-04-03T15:15:00+00:00"),
    ],
)
def test_a_time_that_comes_twice_is_asked_about(
    dashboard: Browser,
    make_competition: MakeCompetition,
    owner: Database,
    zone: str,
    text: str,
    first: str,
    second: str,
) -> None:
    one = make_competition()

    asked = save(dashboard, one, zone=zone, closes_at=text)

    assert asked.status_code == 422
    assert f"{text[-5:]} occurs twice on that day" in asked.text
    assert asked.text.count('name="closes_at_which"') == 2
    for chosen in (second, first):
        assert f'value="{chosen}"' in asked.text
        one = make_competition()
        assert save(dashboard, one, zone=zone, closes_at=text, closes_at_which=chosen).status_code == 303
        with owner.read() as tx:
            stored = tx.execute("SELECT closes_at FROM competitions WHERE id = %s", (one.id,)).fetchone()
        assert stored == (datetime.fromisoformat(chosen),)
    # What was chosen for another time is no choice for this one.
    assert (
        save(
            dashboard, make_competition(), zone=zone, closes_at=text, closes_at_which="2032-01-01T00:00:00+00:00"
        ).status_code
        == 422
    )


@pytest.mark.parametrize(
    ("zone", "text", "following"),
    [
        ("Europe/Berlin", "2032-03-28T02:30", "2032-03-28T03:00"),
        ("America/New_York", "2032-03-14T02:00", "2032-03-14T03:00"),
        ("Australia/Lord_Howe", "2032-10-03T02:10", "2032-10-03T02:30"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-31T00:00"),
    ],
)
def test_a_time_that_never_comes_is_refused_with_the_next_one(
    dashboard: Browser, make_competition: MakeCompetition, zone: str, text: str, following: str
) -> None:
    for told in (
        save(dashboard, make_competition(), zone=zone, closes_at=text),
        dashboard.submit(
            "/admin/competitions/new", "/admin/competitions", name="Q", option=["A", "B"], zone=zone, closes_at=text
        ),
    ):
        assert told.status_code == 422
        assert f"{text[-5:]} does not occur on {text[:10]}" in told.text
        assert f"The next possible time is {following}." in told.text
