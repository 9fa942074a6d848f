"""Lists that are longer than a page: nothing that is open or coming is cut off, and what is over comes in pages."""

import re
from collections.abc import Callable, Iterator

import pytest
from werkzeug.test import TestResponse

from tests.integration.clients import ApiClient, Browser
from vote.config import Settings
from vote.db import audit, competition_lists, gaps
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.services.container import Services

STATES = ("draft", "scheduled", "open", "closing", "closed", "archived")
OF_EACH = 250  # 1,500 competitions
MAKE = """
    WITH made AS (
        INSERT INTO competitions (name, status, receipt_key, rules_version, organiser_id, opens_at, opened_at, closed_at)
        SELECT 'Number ' || n, (%s::text[])[1 + n %% 6], decode(repeat('00', 32), 'hex'), n, %s,
               CASE WHEN n %% 6 = 1 THEN now() + n * interval '1 hour' END,
               CASE WHEN n %% 6 > 1 THEN now() END, CASE WHEN n %% 6 > 3 THEN now() END
        FROM generate_series(0, %s - 1) n RETURNING id
    )
    INSERT INTO options (competition_id, key, label) SELECT id, key, 'Option ' || key FROM made, unnest('{a,b}'::text[]) key
"""
Ids = dict[str, set[int]]


@pytest.fixture
def many(owner: Database, make_user: Callable[..., Account], services: Services) -> tuple[Account, Ids]:
    """1,500 competitions of an organiser, as many in each state, the states by turns."""
    organiser = make_user(role="organiser")
    with owner.transaction(by="tests") as tx:
        tx.execute(MAKE, (list(STATES), organiser.id, OF_EACH * len(STATES)))
        rows = tx.execute("SELECT id, status FROM competitions").fetchall()
    return organiser, {state: {row[0] for row in rows if row[1] == state} for state in STATES}


def pages(client: ApiClient, path: str, key: str) -> Iterator[list[int]]:
    """The ids on each page of a list, from the first to the last."""
    after: int | None = None
    while True:
        told = client.get(path if after is None else f"{path}?after={after}")
        assert told.status_code == 200
        body = told.get_json()
        yield [one["id"] for one in body[key]]
        if body["next"] is None:
            return
        assert after is None or body["next"] < after, "it goes on"
        after = body["next"]


def check_pages(found: list[list[int]], ahead: set[int], over: set[int]) -> None:
    """All that is ahead is on the first page, what is over follows, newest first, each once and on pages of a hundred."""
    assert ahead <= set(found[0])
    assert [one for page in found for one in page if one in over] == sorted(over, reverse=True)
    assert sorted(one for page in found for one in page) == sorted(ahead | over)
    assert all(len(page) >= competition_lists.PAGE_SIZE for page in found[:-1])
    assert found[0] == sorted(found[0], reverse=True)


def test_everybody_finds_all_of_1500(api: ApiClient, many: tuple[Account, Ids]) -> None:
    _, ids = many

    found = list(pages(api, "/api/competitions", "competitions"))

    check_pages(found, ids["open"] | ids["scheduled"] | ids["closing"], ids["closed"])
    assert len(found) == 3


def test_an_organiser_and_an_admin_find_all_of_1500(
    as_user: Callable[[Account], ApiClient],
    admin: ApiClient,
    make_user: Callable[..., Account],
    many: tuple[Account, Ids],
) -> None:
    organiser, ids = many
    ahead = ids["draft"] | ids["open"] | ids["scheduled"] | ids["closing"]

    for client in (as_user(organiser), admin):
        check_pages(
            list(pages(client, "/api/admin/competitions", "competitions")), ahead, ids["closed"] | ids["archived"]
        )
    nobody = as_user(make_user(role="organiser"))
    assert list(pages(nobody, "/api/admin/competitions", "competitions")) == [[]]


def numbers(page: TestResponse, prefix: str) -> list[int]:
    """The ids that a page of people leads to, each once, in order."""
    return list(dict.fromkeys(int(one) for one in re.findall(rf'href="{prefix}/(\d+)"', page.text)))


def page_links(browser: Browser, path: str) -> Iterator[TestResponse]:
    """A page, and those that its button for older ones leads to."""
    while path:
        page = browser.get(path)
        assert page.status_code == 200
        yield page
        following = re.search(r'href="([^"]+)">(?:Older competitions|Older decisions)<', page.text)
        path = following[1].replace("&amp;", "&") if following else ""


def test_people_find_all_of_1500_on_the_pages(browser: Browser, many: tuple[Account, Ids]) -> None:
    _, ids = many

    found = list(page_links(browser, "/"))

    assert set(numbers(found[0], "/vote")) == ids["open"] | ids["scheduled"]
    assert ids["closing"] <= set(numbers(found[0], "/results"))
    over = [one for page in found for one in numbers(page, "/results") if one not in ids["closing"]]
    assert over == sorted(ids["closed"], reverse=True)
    assert len(found) == 3
    assert "Open now" not in found[1].text
    assert 'href="/"' in found[2].text


def test_an_organiser_finds_all_of_1500_at_the_dashboard(
    browser: Browser, many: tuple[Account, Ids], settings: Settings
) -> None:
    organiser, ids = many
    browser.be(organiser, settings)

    found = list(page_links(browser, "/admin"))

    ahead = ids["draft"] | ids["open"] | ids["scheduled"] | ids["closing"]
    assert ahead <= set(numbers(found[0], "/admin/competitions"))
    assert sorted(one for page in found for one in numbers(page, "/admin/competitions")) == sorted(
        ahead | ids["closed"] | ids["archived"]
    )
    assert re.search(r"<dt>open now</dt><dd>250</dd>", found[0].text)


def test_pages_stay_right_while_others_are_made_and_closed(
    api: ApiClient, many: tuple[Account, Ids], owner: Database, make_competition: Callable[..., Competition]
) -> None:
    _, ids = many
    found: list[list[int]] = []

    for page in pages(api, "/api/competitions", "competitions"):
        found.append(page)
        make_competition()
        with owner.transaction(by="tests") as tx:
            tx.changed |= {min(ids["open"])}
            tx.execute("UPDATE competitions SET status = 'closed' WHERE id = %s", (max(ids["open"]),))

    over = [one for page in found for one in page if one in ids["closed"]]
    assert over == sorted(ids["closed"], reverse=True)


def test_the_cached_first_page_is_forgotten_by_a_change(
    api: ApiClient, many: tuple[Account, Ids], make_competition: Callable[..., Competition]
) -> None:
    before = next(pages(api, "/api/competitions", "competitions"))

    made = make_competition().id

    assert next(pages(api, "/api/competitions", "competitions"))[0] == made
    assert made not in before


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 17, "٣"])
def test_what_was_never_a_next_is_refused(api: ApiClient, admin: ApiClient, after: str) -> None:
    for client, path in (
        (api, "/api/competitions"),
        (admin, "/api/admin/competitions"),
        (admin, "/api/admin/gaps"),
    ):
        told = client.get(path, query_string={"after": after})
        assert told.status_code == 422
        assert told.get_json()["errors"].keys() == {"after"}
    assert api.get("/api/competitions?after=9999999999999999").get_json() == {"competitions": [], "next": None}


# --- other lists ----------------------------------------------------------------------------------------------------------


def test_no_gap_that_waits_for_a_decision_is_cut_off(
    admin: ApiClient, browser: Browser, make_user: Callable[..., Account], owner: Database, settings: Settings
) -> None:
    account = make_user(role="admin")
    browser.be(account, settings)
    with owner.transaction(by="tests") as tx:
        tx.execute(
            "INSERT INTO log_gaps (shard, old_epoch, old_position, new_epoch, decided_at, decided_by, reason)"
            " SELECT n %% 8, 'old', n, 'new' || n, CASE WHEN n %% 3 > 0 THEN now() END,"
            " CASE WHEN n %% 3 > 0 THEN %s::bigint END, CASE WHEN n %% 3 > 0 THEN 'why ' || n || '.' END"
            " FROM generate_series(0, 1499) n",
            (account.id,),
        )
        rows = tx.execute("SELECT id, decided_at FROM log_gaps").fetchall()
    waiting, decided = ({row[0] for row in rows if (row[1] is None) is is_open} for is_open in (True, False))

    found = list(pages(admin, "/api/admin/gaps", "gaps"))

    assert waiting <= set(found[0])
    assert [one for page in found for one in page if one in decided] == sorted(decided, reverse=True)
    assert len(found) == len(decided) // gaps.PAGE_SIZE
    shown = list(page_links(browser, "/admin/gaps"))
    assert shown[0].text.count('name="gap"') == len(waiting)
    assert sum(len(re.findall(r">why \d+\.<", page.text)) for page in shown) == len(decided)


def test_what_was_done_long_ago_can_be_turned_to(
    browser: Browser,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
    owner: Database,
    settings: Settings,
) -> None:
    person, one = make_user(role="admin"), make_competition()
    browser.be(person, settings)
    for number in range(audit.PAGE_SIZE + 3):
        with owner.transaction(by=person.id) as tx:
            tx.execute("UPDATE competitions SET name = %s WHERE id = %s", (f"Name {number}", one.id))
            tx.execute("UPDATE users SET email = %s WHERE id = %s", (f"a{number}@example.com", person.id))

    for path in (f"/admin/competitions/{one.id}", f"/admin/people/{person.id}"):
        following = re.search(r'href="(\?after=\d+)#audit">Earlier changes<', browser.get(path).text)
        assert following, path
        earlier = browser.get(path + following[1])
        assert "Earlier changes" not in earlier.text
        assert earlier.text.partition('id="audit"')[2].count("<tr><td>") >= 3


def test_locked_accounts_are_counted_where_not_all_are_listed(
    admin: ApiClient, browser: Browser, make_user: Callable[..., Account], owner: Database, settings: Settings
) -> None:
    with owner.transaction(by="tests") as tx:
        tx.execute(
            "INSERT INTO users (username, email, password_hash)"
            " SELECT 'u' || n, n || '@example.com', 'x' FROM generate_series(1, 250) n"
        )
        tx.execute(
            "INSERT INTO login_locks (user_id, expires_at)"
            " SELECT id, now() + interval '1 hour' FROM users WHERE password_hash = 'x'"
        )

    told = admin.get("/api/admin/locks").get_json()

    assert (told["count"], len(told["locks"])) == (250, 200)
    browser.be(make_user(role="admin"), settings)
    assert "The newest 200 of 250." in browser.get("/admin/locks").text
