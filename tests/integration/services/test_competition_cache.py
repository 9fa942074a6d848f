"""Pages from the cache say what is true now, and show to each what they may see."""

from collections.abc import Callable

import pytest
import redis

from tests.casting import cast, installation_of
from tests.integration.clients import ApiClient, Browser
from tests.servers import Pair
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competition_lists, competitions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.services.cache import key_of
from vote.services.container import Services
from vote.worker import schedule
from vote.worker.worker import Worker

Make = Callable[..., Competition]
PASSWORD = "Pass123!"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the database is asked about competitions."""
    asked: list[str] = []
    for module, name in ((competitions, "find"), (competition_lists, "listed")):
        original = getattr(module, name)
        monkeypatch.setattr(
            module,
            name,
            lambda *args, name=name, original=original, **more: (asked.append(name), original(*args, **more))[1],
        )
    return asked


def finish(worker: Worker) -> None:
    """Drain what is closing and make it final."""
    worker.step()
    schedule.finish_closings(worker.db)


def test_pages_and_lists_ask_the_database_once(
    api: ApiClient, browser: Browser, make_competition: Make, counted: list[str]
) -> None:
    one = make_competition()
    counted.clear()

    for _ in range(3):
        assert "Ballot paper" in browser.get(f"/vote/{one.id}").text
        assert api.get(f"/api/competitions/{one.id}").get_json()["name"] == one.name
        assert one.name in browser.get("/").text
        assert len(api.get("/api/competitions").get_json()["competitions"]) == 1

    assert sorted(counted) == ["find", "listed"]


def test_a_change_is_seen_at_once(
    api: ApiClient,
    browser: Browser,
    owner: Database,
    log: BallotLog,
    organiser: Person,
    worker: Worker,
    make_competition: Make,
) -> None:
    one = make_competition()

    def seen() -> tuple[str, str, str]:
        listed = api.get("/api/competitions").get_json()["competitions"]
        alone = api.get(f"/api/competitions/{one.id}").get_json()
        page = browser.get(f"/vote/{one.id}").text
        return listed[0]["state"], alone["state"], page.split('data-state="')[1].split('"')[0]

    assert seen() == ("open",) * 3
    change.close_voting(owner, log, one.id, by="tests")
    assert seen() == ("closing",) * 3
    finish(worker)  # the worker's own change
    assert seen() == ("closed",) * 3
    change.open_voting(owner, log, one.id, by="tests")
    assert seen() == ("open",) * 3
    change.change(owner, log, one.id, by=organiser, if_match=None, name="Another name?")
    assert "Another name?" in browser.get("/").text
    change.close_voting(owner, log, one.id, by="tests")
    change.delete(owner, log, make_competition().id, by=organiser, if_match=None)
    assert len(api.get("/api/competitions").get_json()["competitions"]) == 1


def test_a_draft_stays_with_those_who_run_it(
    app: object,
    api: ApiClient,
    as_user: Callable[[Account], ApiClient],
    make_user: Callable[..., Account],
    make_competition: Make,
    settings: Settings,
) -> None:
    boss = make_user(role="organiser")
    draft = make_competition(by=boss.person, draft=True)

    for _ in range(2):
        assert as_user(boss).get(f"/api/competitions/{draft.id}").status_code == 200
        assert api.get(f"/api/competitions/{draft.id}").status_code == 404
        assert api.get("/api/competitions").get_json()["competitions"] == []
    with redis.Redis.from_url(settings.cache_url) as client:
        assert not client.exists(key_of(str(installation_of(settings).id), f"competition:{draft.id}"))


def test_hidden_results_are_for_nobody_else(
    browser: Browser,
    app: object,
    owner: Database,
    log: BallotLog,
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Make,
) -> None:
    """What an admin, or a voter who has voted, has seen is in no copy that others get."""
    voter = make_user(password=PASSWORD)
    after_vote, after_close = (
        make_competition(results_visibility="after_vote"),
        make_competition(results_visibility="after_close"),
    )
    for one in (after_vote, after_close):
        cast(settings, one.id, voter.id, "a")
    worker.step()
    insider = Browser(app)  # type: ignore[arg-type]
    insider.log_in(make_user(role="admin", password=PASSWORD))
    themselves = Browser(app)  # type: ignore[arg-type]
    themselves.log_in(voter)

    for _ in range(2):
        for one in (after_vote, after_close):
            for page in ("vote", "results"):
                assert "data-total" not in browser.get(f"/{page}/{one.id}").text
            assert "data-total" in insider.get(f"/results/{one.id}").text
        assert "data-total" in themselves.get(f"/results/{after_vote.id}").text
        assert "data-total" not in themselves.get(f"/results/{after_close.id}").text


def test_rules_are_asked_with_the_figures(
    browser: Browser, owner: Database, organiser: Person, log: BallotLog, services: Services, make_competition: Make
) -> None:
    """A copy that could not be forgotten, because Redis was away at that moment, shows nothing that is hidden now."""
    one = make_competition()
    assert "data-total" in browser.get(f"/results/{one.id}").text

    owner._on_change = None
    change.change(owner, log, one.id, by=organiser, if_match=None, results_visibility="after_close")

    assert services.competition_cache.competition(one.id).results_visibility == "live"  # type: ignore[union-attr]
    assert "data-total" not in browser.get(f"/results/{one.id}").text


def test_a_final_result_is_kept_until_it_is_opened_again(
    browser: Browser,
    owner: Database,
    log: BallotLog,
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Make,
    counted: list[str],
) -> None:
    one = make_competition(results_visibility="after_close")
    cast(settings, one.id, make_user().id, "a")
    worker.step()
    change.close_voting(owner, log, one.id, by="tests")
    finish(worker)
    pages = [browser.get(f"/results/{one.id}").text for _ in range(2)]
    counted.clear()
    pages.append(browser.get(f"/results/{one.id}").text)

    assert all("<strong data-total>1</strong>" in page for page in pages)
    assert "<span>1 vote</span>" in browser.get("/").text
    assert "find" not in counted
    change.open_voting(owner, log, one.id, by="tests")
    assert "data-total" not in browser.get(f"/results/{one.id}").text
    assert "<span>1 vote</span>" not in browser.get("/").text


def test_no_copy_holds_a_secret(settings: Settings, browser: Browser, make_competition: Make) -> None:
    """Whoever has a competition's key can compute everybody's receipt."""
    one = make_competition()
    browser.get(f"/vote/{one.id}")
    browser.get("/")

    with redis.Redis.from_url(settings.cache_url, decode_responses=True) as client:
        copies = [client.get(key) for key in client.keys("vote:cache:*")]

    assert len(copies) == 2
    assert all('"receipt_key":""' in str(copy) for copy in copies)


def test_without_the_cache_pages_come_from_the_database(
    browser: Browser, servers: Pair, make_competition: Make
) -> None:
    one = make_competition()
    servers.kill_log()
    try:
        pages = [browser.get(path) for path in (f"/vote/{one.id}", "/", f"/vote/{one.id}", f"/results/{one.id}")]
    finally:
        servers.restart_log()

    assert [page.status_code for page in pages] == [200] * 4
