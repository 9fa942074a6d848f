"""The shipped files before two real webs: a vote from TLS to the tally, while nginx reloads and while a web dies."""

import itertools
import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy.nginx.checks_of_answers import HSTS
from tests.deploy.nginx.clients import BROWSER, Answer, Client
from tests.deploy.nginx.house import ADMIN, House, bearer, house, watching
from tests.deploy.nginx.load import Load
from tests.module_wide import database_url, environment, redis_url
from tests.stack import VOTE, wait_until
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition

__all__ = ["database_url", "environment", "house", "redis_url"]  # one database for the whole file

RELOADS = 5
VOTERS = 40

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]
TokenOf = Callable[[Account], str]


@pytest.fixture
def voters(make_user: MakeUser, token_of: TokenOf) -> list[str]:
    """The tokens of some people."""
    return [token_of(make_user()) for _ in range(VOTERS)]


def test_a_vote_from_registration_to_the_tally(house: House, make_competition: MakeCompetition) -> None:
    one = make_competition()
    login = {"username": "mara", "password": "river-otter-9"}
    account = {**login, "email": "mara@example.com", "confirm_password": "river-otter-9"}
    assert house.client.post("/register", json.dumps(account).encode()).status == 201
    logged_in = house.client.post("/login", json.dumps(login).encode())
    assert logged_in.status == 200
    with watching(house, one.id) as socket:
        assert json.loads(socket.recv())["total"] == 0

        cast = house.vote(one.id, logged_in.json["token"])

        assert cast.status == 202
        assert json.loads(socket.recv())["options"] == {"a": 1, "b": 0}
    receipt = cast.json["receipt"]
    wait_until(lambda: house.client.get(f"/api/receipts/{receipt}").json["status"] == "recorded")
    assert house.total(one.id) == 1


def test_answers_have_the_headers_of_both_once(house: House) -> None:
    page = house.client.get("/", BROWSER)

    assert page.status == 200
    assert page.all("Strict-Transport-Security") == [HSTS]
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Server"):
        assert len(page.all(name)) == 1, name
    missing = house.client.get("/api/competitions/4000")
    assert missing.status == 404
    assert missing.all("X-Request-Id") == [missing.json["request_id"]]
    wait_until(lambda: _joined(house, missing.json["request_id"]), what="nginx and the web name the request alike")


def _joined(house: House, request_id: str) -> bool:
    """Whether this request is in the log of nginx and in that of a web, by one id."""
    in_nginx = any(line["request_id"] == line["app_request_id"] == request_id for line in house.site.lines())
    return in_nginx and any(line.get("request_id") == request_id for web in house.webs for line in web.lines())


def test_one_id_leads_from_nginx_to_the_row(
    house: House, make_competition: MakeCompetition, voters: list[str], owner: Database
) -> None:
    one = make_competition()

    request_id = house.vote(one.id, voters[0]).all("X-Request-Id")[0]

    def row() -> Any:
        with owner.read() as tx:
            return tx.fetch_value("SELECT id FROM ballots WHERE competition_id = %s", (one.id,))

    assert wait_until(row).hex.startswith(request_id[:16])
    wait_until(lambda: _joined(house, request_id))
    files = [*(path for web in house.webs for path in web.logs), house.site.access_log]
    command = [*VOTE, "trace", request_id, *map(str, files)]
    shown = subprocess.run(command, env=house.webs[0].environment, capture_output=True, text=True, check=True).stdout
    assert [line[28:38].strip() for line in shown.splitlines()] == ["nginx", "web", "log", "worker", "database"]


def test_nobody_can_write_an_address(house: House, make_user: MakeUser, token_of: TokenOf) -> None:
    """Administration is for one network: who is elsewhere stays elsewhere, whatever headers say."""
    token = token_of(make_user(role="admin"))
    path = "/api/admin/competitions"

    assert house.client.get(path, bearer(token), source=ADMIN).status == 200
    refused = house.client.get(path, bearer(token), source="127.0.0.6")
    assert refused.status in (403, 404)
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X_Forwarded_For"):
        for value in (ADMIN, f"{ADMIN}, 127.0.0.1", f"for={ADMIN}"):
            forged = {**bearer(token), name: value}
            assert house.client.get(path, forged, source="127.0.0.6").status == refused.status, (name, value)
            assert house.client.get(path, {**bearer(token), name: "6.6.6.6"}, source=ADMIN).status == 200, name


def test_what_is_inside_is_answered_inside_alone(house: House) -> None:
    for path in ("/metrics", "/ready", "/outbox"):
        assert house.webs[0].get(path).status == 200
        assert house.client.get(path).status == 404
        assert house.client.get(path.replace("t", "%74").replace("d", "%64")).status == 404
    assert house.client.get("/health").json == {"status": "ok"}


def test_static_files_are_kept(house: House) -> None:
    page = house.client.get("/", BROWSER).body.decode()
    files = set(re.findall(r'"(/static/[^"]+\.(?:css|js))"', page))
    assert len(files) > 5
    for path in files:
        for coding in ("br", "gzip", ""):
            first, again = (house.client.get(path, {"Accept-Encoding": coding}) for _ in range(2))
            assert first.status == 200
            assert first.all("Content-Encoding") == ([coding] if coding else []), path
            assert first.body == again.body
    wait_until(lambda: _of_static(house, "HIT") >= 3 * len(files), what="each is in the cache")
    assert _of_static(house, "MISS") == 3 * len(files)


def _of_static(house: House, cache: str) -> int:
    return sum(line["cache"] == cache for line in house.site.lines())


def test_reloads_while_people_vote(
    house: House,
    make_competition: MakeCompetition,
    voters: list[str],
    record_property: Callable[[str, object], None],
) -> None:
    one = make_competition()
    turns, body = itertools.cycle(voters), b'{"vote":"a"}'

    def ballot(client: Client) -> bytes:
        fields = {**bearer(next(turns)), "Content-Type": "application/json"}
        return client.request("POST", f"/vote/{one.id}", fields, body)

    with (
        watching(house, one.id) as socket,
        Load(house.client, ballot, lambda given: given.status in (200, 202)).running() as load,
    ):
        for _ in range(RELOADS):
            before = load.counts.answered
            wait_until(lambda before=before: load.counts.answered - before > 100 or load.counts.failed)
            house.site.reload()
        before = load.counts.answered
        wait_until(lambda: load.counts.answered - before > 100 or load.counts.failed)
        while json.loads(socket.recv())["total"] < VOTERS:
            pass  # the socket of before the first reload hears of the last vote
    counts = load.counts
    record_property("reloads", RELOADS)
    record_property("requests", counts.answered)
    record_property("failed", len(counts.failed))
    record_property("sent_again", counts.sent_again)
    assert counts.failed == []
    assert house.total(one.id) == VOTERS


def test_a_web_is_killed_while_people_vote(house: House, make_competition: MakeCompetition, voters: list[str]) -> None:
    """Whoever is not confirmed votes again, and everybody counts once."""
    one, turns = make_competition(), itertools.cycle(voters)

    def ballot(client: Client) -> bytes:
        fields = {**bearer(next(turns)), "Content-Type": "application/json"}
        return client.request("POST", f"/vote/{one.id}", fields, b'{"vote":"b"}')

    def is_right(given: Answer) -> bool:
        return given.status in (200, 202) or (given.status == 503 and bool(given.all("Retry-After")))

    with Load(house.client, ballot, is_right).running() as load:
        for change in (house.webs[1].kill_web, house.webs[1].start_web, lambda: None):
            before = load.counts.answered
            wait_until(lambda before=before: load.counts.answered - before > 200 or load.counts.failed)
            change()
    assert load.counts.failed == []
    assert {house.vote(one.id, token, "b").status for token in voters} == {200}
    wait_until(lambda: house.total(one.id) == VOTERS, what="everybody is counted")
    assert house.client.get(f"/api/competitions/{one.id}/results").json["options"] == {"a": 0, "b": VOTERS}
