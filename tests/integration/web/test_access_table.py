"""docs/access.md is the table of who may do what. Here every row of it is tried on the running app, by each kind of person.

A route that the table does not name fails, and so does a row without a route. What an answer means: 401, 403 and 404 are
doors that stay shut; everything else that is no failure of ours got past the door.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask

from tests.casting import cast
from tests.integration.asgi import Request, ask
from vote.actions import account_administration, competitions
from vote.auth import create_jwt_token
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competitions as stored
from vote.db import devices
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.receipt import receipt_code
from vote.worker.worker import Worker

PAGE = Path(__file__).parents[3] / "docs" / "access.md"
COLUMNS = ("nobody", "disabled", "voter", "organiser", "organiser of it", "admin")
SHUT = (401, 403, 404)
PAST_THE_DOOR = frozenset((101, 200, 201, 202, 204, 303, 304, 400, 409, 412, 415, 422))
OPEN, DRAFT, HIDDEN, AFTER_VOTE = "", " of a draft", " with results after the close", " with results after voting"
SETTINGS_OF: dict[str, dict[str, Any]] = {
    OPEN: {},
    DRAFT: {"draft": True},
    HIDDEN: {"results_visibility": "after_close"},
    AFTER_VOTE: {"results_visibility": "after_vote"},
}
OF_THE_FRONT_DOOR = (
    "GET /health",
    "GET /ready",
    "GET /metrics",
    "GET /static/<file>",
    "POST /vote/<competition>",
    "WS /live/<competition>",
)
SHOWN_ONLY_SOMETIMES = (
    "GET /vote/<competition>",
    "POST /vote/<competition>",
    "GET /results/<competition>",
    "GET /api/competitions/<competition>",
    "GET /api/competitions/<competition>/results",
    "WS /live/<competition>",
)

NAMES = {
    "competition_id": "competition",
    "user_id": "person",
    "gap_id": "gap",
    "device_id": "device",
    "code": "receipt",
    "filename": "file",
}


class Line(NamedTuple):
    """A row of the table: what is asked for, and of which kind of competition."""

    call: str
    kind: str

    @property
    def title(self) -> str:
        return self.call + self.kind


def routes(app: Flask) -> Iterator[str]:
    """`GET /vote/<competition>` for every route of Flask."""
    for url in app.url_map.iter_rules():
        path = re.sub(r"<any\(([^)]*)\):name>", lambda found: found[1].replace(", ", "|"), url.rule)
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: f"<{NAMES[found[1]]}>", path)
        for method in (url.methods or set()) - {"HEAD", "OPTIONS"}:
            yield f"{method} {path}"


def lines(app: Flask) -> list[Line]:
    """All rows there should be."""
    found = [Line(call, OPEN) for call in {*routes(app), *OF_THE_FRONT_DOOR}]
    return found + [Line(call, kind) for call in SHOWN_ONLY_SOMETIMES for kind in SETTINGS_OF if kind]


class Cast(NamedTuple):
    """Who asks, as headers, and what may stand in an address."""

    headers: dict[str, str]
    things: dict[str, object]


class World:
    """Makes who asks and what is asked for, fresh for each call that changes something."""

    def __init__(
        self, settings: Settings, owner: Database, log: BallotLog, make_user: Callable[..., Account], receipt: str
    ) -> None:
        self._settings, self._owner, self._log, self._make_user = settings, owner, log, make_user
        self._receipt = receipt
        self._kept: dict[tuple[str, str], Cast] = {}

    def request(self, line: Line, column: str) -> Request:
        """The call of this row by this kind of person."""
        method, _, path = line.call.partition(" ")
        is_reading = method in ("GET", "WS")
        made = self._kept.get((line.kind, column)) if is_reading else None
        if made is None:
            made = self._cast(line.kind, column, None if is_reading else path)
        if is_reading:  # nothing is used up: who and what serve again
            self._kept[line.kind, column] = made
        for name, thing in made.things.items():
            path = path.replace(name, str(thing))
        path = re.sub(r"/([a-z]+)\|[a-z|]+", r"/\1", path)
        headers = {"Content-Type": "application/json", "If-Match": "*", **made.headers}
        is_vote = line.call.startswith("POST /vote/")
        body = b"" if is_reading else b'{"vote":"a"}' if is_vote else b"{}"
        return Request(method, path, headers, body)

    def _cast(self, kind: str, column: str, path: str | None) -> Cast:
        """Somebody of this column, and something for each place of this address, or of any."""
        who, headers = None, {}
        if column != "nobody":
            role = "organiser" if column.startswith("organiser") else "admin" if column == "disabled" else column
            who = self._make_user(role=role)
            headers["Authorization"] = f"Bearer {create_jwt_token(who.id, secret=self._settings.jwt_secret)}"
            if column == "disabled":
                account_administration.disable(self._owner, who.id, by="tests")
        makers: dict[str, Callable[[], object]] = {
            "<competition>": lambda: self._competition(who if column == "organiser of it" else None, kind),
            "<person>": lambda: self._make_user().id,
            "<gap>": self._gap,
            "<device>": lambda: self._device(who),
            "<receipt>": lambda: self._receipt,
            "<file>": lambda: "vote.css",
        }
        return Cast(headers, {name: make() for name, make in makers.items() if path is None or name in path})

    def _competition(self, runs: Account | None, kind: str) -> int:
        by = (runs or self._make_user(role="organiser")).person
        made = competitions.create(
            self._owner, self._log, by=by, name="Which?", options=["A", "B"], **SETTINGS_OF[kind]
        )
        return made.id

    def _device(self, who: Account | None) -> int:
        if who is None:
            return 1
        token = who.username.encode().ljust(32)
        with self._owner.transaction(by="tests") as tx:
            devices.remember(tx, who.id, token_hash=token, device="Firefox", session="sid")
            return devices.of_person(tx, who.id)[0].id

    def _gap(self) -> int:
        with self._owner.transaction(by="tests") as tx:
            row = tx.execute(
                "INSERT INTO log_gaps (shard, old_epoch, old_position, new_epoch)"
                " VALUES (0, gen_random_uuid()::text, 1, 'b') RETURNING id"
            ).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def world(
    settings: Settings,
    owner: Database,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Any],
) -> World:
    make_user(username="stays", role="admin")
    voter, number = make_user(), make_competition().id
    cast(settings, number, voter.id, "a")
    worker.step()
    with owner.read() as tx:
        competition = stored.find(tx, number)
    assert competition is not None
    return World(settings, owner, log, make_user, receipt_code(competition.receipt_key, voter.id))


def told(page: str) -> dict[str, tuple[str, ...]]:
    """The rows of the page."""
    rows = re.findall(r"^\| `(.+?)`(.*?) \| (.+) \|$", page, re.MULTILINE)
    return {call + kind: tuple(cells.split(" | ")) for call, kind, cells in rows}


def test_the_table_is_what_the_app_does(app: Flask, settings: Settings, world: World) -> None:
    rows = lines(app)
    asked = [(line, column) for line in rows for column in COLUMNS]
    answers = ask(settings, [world.request(line, column) for line, column in asked])
    done: dict[str, list[str]] = {}
    for (line, column), answer in zip(asked, answers, strict=True):
        assert answer.status in PAST_THE_DOOR or answer.status in SHUT, f"{line.title} by {column}: {answer}"
        done.setdefault(line.title, []).append(str(answer.status) if answer.status in SHUT else "yes")

    expected = told(PAGE.read_text("utf-8"))

    assert set(done) == set(expected), "a row is missing in docs/access.md, or stands there without a route"
    differ = {title: (found, expected[title]) for title, found in done.items() if tuple(found) != expected[title]}
    assert differ == {}, f"columns are {', '.join(COLUMNS)}; the app does, and docs/access.md says"


# --- fields that nobody offered ----------------------------------------------------------------------------------------
TAKING_OVER = {
    "id": 1, "role": "admin", "organiser_id": 1, "disabled_at": None, "status": "closed", "user_id": 1, "is_admin": True,
}  # fmt: skip


def test_fields_that_nobody_offered_are_refused(
    app: Flask, settings: Settings, world: World, owner: Database, subtests: pytest.Subtests
) -> None:
    """Every call that takes JSON fields is sent those that would make somebody more: 422, and nothing changes."""
    requests = []
    for line in lines(app):
        if line.kind == OPEN and re.match(
            r"(POST|PATCH) /(api/|login|register|account/[dep]|forgot|reset|confirm)", line.call
        ):
            one = world.request(line, "admin")
            own = {"role"} if line.call.endswith("/role") else set()
            requests += [
                one._replace(body=json.dumps({name: value}).encode())
                for name, value in TAKING_OVER.items()
                if name not in own
            ]
    with owner.read() as tx:
        before = tx.execute("SELECT md5(string_agg(u::text, '' ORDER BY id)) FROM users u").fetchone()

    for request, answer in zip(requests, ask(settings, requests), strict=True):
        with subtests.test(f"{request.path} {request.body!r}"):
            assert answer.status == 422
            assert json.loads(request.body).keys() <= json.loads(answer.body)["errors"].keys()
    with owner.read() as tx:
        assert tx.execute("SELECT md5(string_agg(u::text, '' ORDER BY id)) FROM users u").fetchone() == before
