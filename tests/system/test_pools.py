"""Every connection of the web is taken by transactions that wait for a lock: 503 in time, on pages and API, and no hang."""

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.integration.asgi import Request, ask
from tests.stack import Answer, Stack, running, wait_until
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.identity.sessions import Session, SessionCookie, begin
from vote.server.concurrency_limit import ConcurrencyLimit

POOL, ASKED = 2, 6  # connections of the web process, and requests of each kind at once
FEW = {"WEB_CONCURRENCY": "1", "VOTE_DB_POOL": str(POOL), "VOTE_DB_WAIT_S": "0.5"}


@pytest.fixture
def stack(environment: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    """The system with few connections and little patience."""
    with running(environment | FEW, tmp_path / "stack") as one:
        yield one


@pytest.fixture
def cookie_of(settings: Settings) -> Callable[[Account], dict[str, str]]:
    """The headers of a browser that somebody is logged in with."""

    def headers(account: Account) -> dict[str, str]:
        session: Session = {}
        begin(session, account.id, now=time.time())
        name_and_value = SessionCookie(settings).write(session).partition(";")[0]
        return {"Cookie": name_and_value, "Accept": "text/html", "Sec-Fetch-Site": "same-origin"}

    return headers


def figure(stack: Stack, name: str) -> float:
    lines = stack.get("/metrics").body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_an_exhausted_pool_is_503_on_pages_and_api_and_votes_go_on(
    stack: Stack,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
    token_of: Callable[[Account], str],
    cookie_of: Callable[[Account], dict[str, str]],
    database_url: str,
) -> None:
    person, voter, competition = make_user(), make_user(), make_competition()
    browser, token = cookie_of(person), token_of(person)
    wait_until(lambda: stack.vote(competition.id, "a", token_of(make_user())).status == 202, what="votes are taken")

    def asked() -> list[Answer]:
        return [one.result() for one in asking if one.done()]

    with ThreadPoolExecutor(2 * ASKED) as pool, psycopg.connect(database_url) as slow:
        slow.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        asking = [pool.submit(stack.get, "/account", headers=browser) for _ in range(ASKED)]
        asking += [pool.submit(stack.get, "/api/me", token=token) for _ in range(ASKED)]
        wait_until(lambda: len(asked()) >= 2 * ASKED - POOL, what="all but those that hold a connection are answered")
        refused, voted = asked(), stack.vote(competition.id, "b", token_of(voter))
        in_use = figure(stack, 'vote_database_in_use{pool="vote web"}')
        slow.rollback()
        last = [one.result() for one in asking]

    assert {one.status for one in refused} == {503}
    assert all(int(one.headers["Retry-After"]) > 0 for one in refused)
    pages = [one for one in refused if one.headers["Content-Type"].startswith("text/html")]
    problems = [one for one in refused if one.headers["Content-Type"] == "application/problem+json"]
    assert pages
    assert problems
    assert len(pages) + len(problems) == len(refused)
    assert b"Try again" in pages[0].body
    assert "Try again in a few seconds" in problems[0].json["detail"]
    assert voted.status == 202
    assert in_use == POOL
    assert [one.status for one in last].count(200) == len(last) - len(refused)
    wait_until(lambda: stack.get("/api/me", token=token).status == 200, what="it is as before")
    assert figure(stack, 'vote_database_refused_total{pool="vote web",why="exhausted"}') >= len(refused)
    assert figure(stack, 'vote_database_waiting{pool="vote web"}') == 0
    assert figure(stack, 'vote_database_pool_size{pool="vote web"}') == POOL


def test_when_no_thread_is_free_for_a_page_everybody_is_told_and_probes_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vote.asgi.ConcurrencyLimit", lambda _places, wait_s, **_: ConcurrencyLimit(0, wait_s=wait_s))
    monkeypatch.setattr("vote.asgi.PAGE_WAIT_S", 0.01)
    same_origin = {"Sec-Fetch-Site": "same-origin", "Cookie": f"session={secrets.token_hex(4)}"}

    page, api, probe = ask(
        settings,
        [
            Request("GET", "/", same_origin),
            Request("GET", "/api/competitions", same_origin),
            Request("GET", "/health"),
        ],
    )

    assert (page.status, page.headers["retry-after"], probe.status) == (503, "1", 200)
    assert page.headers["content-type"].startswith("text/html")
    assert b"The service is busy" in page.body
    assert b"vote may be stored" not in page.body
    assert (api.status, api.headers["content-type"]) == (503, "application/problem+json")
