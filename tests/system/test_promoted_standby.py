"""The database loses its newest rows: a standby that had stopped hearing takes the place of the primary.

People, votes, a competition, a change, a closing and a link are gone. Nobody gets what was somebody else's: no token, no
vote, no number. What was accepted is kept aside, and counts when its people are back.
"""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.conftest import JWT_SECRET, PASSWORD_HASH, environment_of
from tests.stack import DEADLINE_S, VOTE, Answer, Stack, running, wait_until
from tests.two_databases import TwoDatabases, two_databases
from vote.auth import create_jwt_token
from vote.ops.embedded.programs import ServerSource

pytestmark = pytest.mark.slow

LOST, NEW = 60, 100  # more than the 32 numbers that PostgreSQL writes ahead of a sequence
WHY = "The accounts were copied from the disk of the old primary."


@dataclass
class Story:
    """What was before, and the system after."""

    databases: TwoDatabases
    stack: Stack
    admin: str
    known: dict[int, str]
    kept: int  # a competition that the standby knows
    ending: int  # the same; its closing is lost
    before: dict[str, Any] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)
    new: dict[int, str] = field(default_factory=dict)
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)  # what is lost
    gone: int = 0  # a competition that only the lost primary knew
    watched: list[Any] = field(default_factory=list)  # what somebody was sent who watched all the time

    def create(self, name: str) -> int:
        """A competition, by API."""
        answer = self.stack.post(
            "/api/admin/competitions", {"name": name, "options": ["River stage", "Hall stage"]}, token=self.admin
        )
        assert answer.status == 201, answer.body
        number = answer.json["id"]
        wait_until(
            lambda: self.vote(number, "a", next(iter(self.known.values()))).status in (200, 202), what="it is open"
        )
        return int(number)

    @property
    def socket_url(self) -> str:
        return self.stack.url.replace("http", "ws") + f"/live/{self.kept}"

    def vote(self, competition: int, choice: str, token: str) -> Answer:
        return self.stack.vote(competition, choice, token)

    def drained(self) -> bool:
        return b"vote_pending_ballots 0.0" in self.stack.get("/metrics").body

    def results(self, competition: int) -> Any:
        return self.stack.results(competition, self.admin)

    def state(self, competition: int) -> str:
        return str(self.managed(competition).json["state"])

    def managed(self, competition: int) -> Answer:
        return self.stack.get(f"/api/admin/competitions/{competition}", token=self.admin)


def people(databases: TwoDatabases, name: str, count: int, role: str = "voter") -> dict[int, str]:
    """New accounts, each with its token."""
    rows = databases.say(
        "INSERT INTO users (username, email, password_hash, role)"
        " SELECT %s || n, %s || n || '@example.com', %s, %s FROM generate_series(1, %s) n RETURNING id",
        name,
        name,
        PASSWORD_HASH,
        role,
        count,
    )
    return {row[0]: create_jwt_token(row[0], secret=JWT_SECRET) for row in rows}


@pytest.fixture(scope="module")
def story(server_source: ServerSource, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Everything that happens, once; the tests look at what is left."""
    folder = tmp_path_factory.mktemp("lost-rows")
    with two_databases(server_source, folder) as databases:
        environment = environment_of(databases.url, databases.pair.redis_url, folder)
        with running(environment, folder / "stack") as stack:
            admin = next(iter(people(databases, "admin", 1, "admin").values()))
            story = Story(databases, stack, admin, people(databases, "known", 3), 0, 0)
            story.kept, story.ending = story.create("Kept"), story.create("Ending")
            wait_until(story.drained, what="what is known is recorded")
            databases.wait_until_equal()
            databases.standby.stop_hearing()
            _live_on(story)
            with connect(story.socket_url, proxy=None) as socket:
                story.watched.append(json.loads(socket.recv(timeout=DEADLINE_S)))
                databases.fail_over()
                stack.wait_ready()
                story.new = people(databases, "new", NEW)
                wait_until(story.drained, what="the log is read again")
                while story.watched[-1]["version"] <= story.before["kept"]["version"]:
                    story.watched.append(json.loads(socket.recv(timeout=DEADLINE_S)))
            yield story


def _live_on(story: Story) -> None:
    """What happens after the standby has stopped hearing, all of it acknowledged and recorded."""
    databases, stack = story.databases, story.stack
    story.lost = people(databases, "lost", LOST)
    story.gone = story.create("Gone")
    for voter, token in story.lost.items():
        for competition in (story.kept, story.ending, story.gone):
            assert story.vote(competition, "ab"[voter % 2], token).status == 202
    etag = story.managed(story.kept).headers["ETag"]
    changed = stack.request(
        "PATCH",
        f"/api/admin/competitions/{story.kept}",
        token=story.admin,
        body={"description": "Lost", "correction": True},
        headers={"If-Match": etag},
    )
    assert changed.status == 200
    story.before["etag"] = changed.headers["ETag"]
    wait_until(story.drained, what="they are recorded")
    stack.post(f"/api/admin/competitions/{story.ending}/close", token=story.admin)
    wait_until(lambda: story.state(story.ending) == "closed", what="it is final")
    story.before["ending"] = story.results(story.ending)
    story.before["kept"] = story.results(story.kept)
    assert story.before["kept"]["total"] == LOST + 1
    link = secrets.token_bytes(32)
    databases.say(
        "INSERT INTO mail_links VALUES (%s, %s, 'reset', 'x@example.com', now() + interval '1 day')",
        link,
        next(iter(story.lost)),
    )
    wanted = {
        "users": "username LIKE 'lost%'",
        "competitions": f"id = {story.gone}",
        "options": f"competition_id = {story.gone}",
    }
    for table, where in wanted.items():
        story.rows[table] = databases.say(f"SELECT to_json(t)::text FROM {table} t WHERE {where}")


def test_the_primary_was_ahead(story: Story) -> None:
    """Else nothing here shows anything."""
    ids = {row[0] for row in story.databases.say("SELECT id FROM users")}
    assert not ids & story.lost.keys()
    assert set(story.known) | set(story.new) < ids
    assert story.databases.say("SELECT count(*) FROM competitions") == [(2,)]


def test_no_number_is_given_twice(story: Story) -> None:
    assert not story.new.keys() & (story.lost.keys() | story.known.keys())
    assert story.create("After") > story.gone


def test_each_token_is_the_same_person_or_nobody(story: Story, subtests: pytest.Subtests) -> None:
    for user_id, token in (story.known | story.new).items():
        assert story.stack.get("/api/me", token=token).json["id"] == user_id
    for path in ("/api/me", "/api/competitions", f"/api/competitions/{story.kept}/results", "/api/me/export", "/"):
        for token in story.lost.values():
            with subtests.test(path):
                assert story.stack.get(path, token=token).status == 401


def test_a_token_of_nobody_opens_no_socket(story: Story) -> None:
    url = story.socket_url
    for token, status in ((next(iter(story.known.values())), 101), (next(iter(story.lost.values())), 401)):
        headers = {"Authorization": f"Bearer {token}"}
        if status == 101:
            with connect(url, additional_headers=headers, proxy=None) as socket:
                assert json.loads(socket.recv())["competition"] == story.kept
            continue
        with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers=headers, proxy=None):
            pass
        assert refused.value.response.status_code == status


def test_the_votes_of_the_lost_are_kept_aside_and_count_for_nobody(story: Story) -> None:
    votes = story.databases.say("SELECT competition_id, user_id FROM votes")
    assert {voter for _, voter in votes} <= set(story.known)
    aside = story.databases.say("SELECT competition_id, user_id FROM unmatched_ballots")
    for competition in (story.kept, story.ending, story.gone):
        assert {voter for one, voter in aside if one == competition} >= set(story.lost)
    shown = story.stack.get("/api/admin/set-aside", token=story.admin).json["unmatched"]
    assert shown["count"] == len(aside)


def test_a_press_of_somebody_lost_is_stored_and_kept_aside(story: Story) -> None:
    """Casting asks no database: the ballot is on disk and counts when its voter is back."""
    voter, token = next(iter(story.lost.items()))

    assert story.vote(story.kept, "ab"[voter % 2], token).json["status"] == "accepted"


def test_a_new_competition_inherits_nothing(story: Story) -> None:
    fresh = story.create("Fresh")
    assert story.vote(story.gone, "a", next(iter(story.new.values()))).status in (202, 404, 409)
    for token in list(story.new.values())[:5]:
        assert story.vote(fresh, "b", token).status == 202
    wait_until(story.drained, what="they are recorded")

    assert story.results(fresh)["options"] == {"a": 1, "b": 5}


def test_versions_and_tags_go_on_above_those_that_were_given(story: Story) -> None:
    wait_until(lambda: story.results(story.kept)["version"] > story.before["kept"]["version"], what="a higher version")
    stale = story.stack.request(
        "PATCH",
        f"/api/admin/competitions/{story.kept}",
        token=story.admin,
        body={"name": "On top of what is lost"},
        headers={"If-Match": story.before["etag"]},
    )
    assert stale.status == 412


def test_who_watched_sees_the_truth_of_the_promoted_database(story: Story) -> None:
    """On the same socket, with a higher version: no page drops it."""
    assert story.watched[0] == story.before["kept"]
    assert (story.watched[-1]["total"], story.watched[-1]["options"]) == (1, {"a": 1, "b": 0})
    versions = [one["version"] for one in story.watched]
    assert versions == sorted(set(versions))


def test_a_lost_closing_is_done_again_and_waits_for_a_word(story: Story) -> None:
    wait_until(lambda: story.state(story.ending) == "closing", what="the log knows of the closing")

    assert story.managed(story.ending).json["waiting_for"]["unmatched"] == LOST


def test_a_lost_link_leads_nowhere(story: Story) -> None:
    assert story.databases.say("SELECT count(*) FROM mail_links") == [(0,)]


def test_they_count_when_they_are_back(story: Story) -> None:
    databases, stack = story.databases, story.stack
    with psycopg.connect(databases.url) as owner:
        for table, rows in story.rows.items():
            for (row,) in rows:
                names = ", ".join(json.loads(row))
                owner.execute(
                    f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE"
                    f" SELECT {names} FROM json_populate_record(NULL::{table}, %s::json)".encode(),
                    (row,),
                )
    for competition in (story.kept, story.ending, story.gone):
        path = f"/api/admin/competitions/{competition}/reinstate"
        answer = stack.post(path, {"reason": WHY}, token=story.admin)
        assert answer.status == 202, answer.body
        assert answer.json["ballots"] >= LOST

    wait_until(lambda: story.results(story.kept)["options"] == story.before["kept"]["options"], what="they count")
    wait_until(lambda: story.state(story.ending) == "closed", what="it is final by itself")
    assert story.results(story.ending)["options"] == story.before["ending"]["options"]
    for user_id, token in story.lost.items():
        assert stack.get("/api/me", token=token).json["id"] == user_id
    wait_until(
        lambda: databases.say("SELECT count(*) FROM votes WHERE competition_id = %s", story.gone)[0][0] > LOST,
        what="those of the lost competition count too",
    )
    assert databases.say("SELECT count(*) FROM unmatched_ballots") == [(0,)]


def test_the_books_are_in_order(story: Story) -> None:
    environment = {**story.stack.environment, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [*VOTE, "verify", "--json"], env=environment, capture_output=True, text=True, check=False, timeout=120
    )

    assert json.loads(done.stdout)["findings"] == [], done.stderr
