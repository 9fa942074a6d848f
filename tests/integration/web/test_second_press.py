"""The second press of every form, and the press after a lost answer, get the answer of the first and change nothing.

The table below holds a case for each route that a form of a browser can be sent to; a route without one fails the test.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from flask import Flask, request
from werkzeug.test import TestResponse

from tests import forms
from tests.counting_hasher import RIGHT, CountingHasher
from tests.forms import Case, World
from tests.integration.web.conftest import HTTPS
from tests.integration.web.pressing import Person
from tests.stack import wait_until
from vote.app import create_app
from vote.config import Settings
from vote.db import idempotency
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.edge.parts import Parts

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]

EVERY = [pytest.param(case, id=name) for name, case in forms.every_case()]


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def app(parts: Parts, hasher: CountingHasher) -> Flask:
    return create_app(dataclasses.replace(parts, hasher=hasher))


@pytest.fixture
def world(owner: Database, make_user: MakeUser, make_competition: MakeCompetition) -> World:
    make_user(role="admin")
    return World(owner, make_user, make_competition, password=RIGHT)


@pytest.fixture
def person(app: Flask, settings: Settings, world: World) -> Callable[[Case], Person]:
    return lambda case: Person(app, settings, case(world))


def seen(answer: TestResponse) -> tuple[int, str | None, str]:
    """What a person sees of an answer."""
    said = re.sub(r'value="[0-9a-f]+"', "", answer.text) if answer.status_code != 303 else ""
    return answer.status_code, answer.location, said


def test_every_form_has_a_case(app: Flask) -> None:
    """Routes of the API take no forms; ballots go through the front door, and the log takes one per voter."""
    routes = {
        url.rule
        for url in app.url_map.iter_rules()
        if "POST" in (url.methods or ()) and not url.rule.startswith("/api/")
    }

    assert routes == set(forms.CASES)


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "arrived"])
@pytest.mark.parametrize("case", EVERY)
def test_a_second_press_is_answered_as_the_first(
    person: Callable[..., Person], world: World, case: Case, lost: bool
) -> None:
    one = person(case)
    first = one.send()
    assert first.status_code == (202 if case is forms.forgot else 303), first.text
    assert first.location in (None, one.press.leads_to.replace("{new}", "1"))
    done = world.changes()

    second = one.send(as_before=lost)

    assert seen(second) == seen(first)
    assert second.headers.get("Clear-Site-Data") == first.headers.get("Clear-Site-Data")
    assert world.changes() == done
    if case in forms.LOGGED_IN_AFTERWARDS:
        assert one.is_logged_in


@pytest.mark.parametrize("case", EVERY)
def test_presses_in_the_same_moment_make_one_change(
    person: Callable[..., Person], world: World, case: Case, hasher: CountingHasher
) -> None:
    one = person(case)
    first, *others = one.at_once(3)

    assert first.status_code in (303, 202), first.text
    assert [seen(other) for other in others] == [seen(first)] * 2
    keys = world.sql("SELECT count(*) FROM idempotency_keys WHERE answered_at IS NOT NULL")
    assert keys == [(1,)]
    rows = world.sql("SELECT count(*) FROM audit_log GROUP BY action, subject, subject_id, before, after, actor")
    assert all(count == 1 for (count,) in rows)
    assert world.sql("SELECT count(*) FROM outbox GROUP BY kind") in ([], [(1,)])
    assert world.sql("SELECT count(*) FROM competitions WHERE name = 'Which of these?'")[0][0] <= 1
    assert hasher.verified <= 1, "a password is looked at once"
    if case in forms.LOGGED_IN_AFTERWARDS:
        assert one.is_logged_in


# --- whose key it is ---------------------------------------------------------------------------------------------------
def test_a_key_of_another_browser_is_refused(person: Callable[..., Person], world: World) -> None:
    mine, theirs = person(forms.create), person(forms.create)
    mine.send()

    answer = theirs.send(idempotency_key=mine.fields["idempotency_key"])

    assert answer.status_code == 403
    assert world.sql("SELECT count(*) FROM competitions") == [(1,)]
    assert theirs.send(idempotency_key="x").status_code == 403
    assert theirs.send(idempotency_key="0" * 64).status_code == 403


def test_csrf_is_checked_before_the_key(person: Callable[..., Person]) -> None:
    one = person(forms.create)
    assert one.send().status_code == 303

    assert one.send(csrf_token="0" * 128).status_code == 403


def test_a_form_that_was_corrected_works_with_the_same_key(person: Callable[..., Person], world: World) -> None:
    one = person(forms.register)
    assert one.send(email="no address").status_code == 422
    assert world.sql("SELECT count(*) FROM idempotency_keys") == [(0,)]

    assert one.send().status_code == 303
    assert one.is_logged_in


def test_a_form_that_says_something_else_is_another_press(person: Callable[..., Person], world: World) -> None:
    one = person(forms.create)
    one.send()

    assert one.send(name="Which other?").status_code == 303
    assert world.sql("SELECT count(*) FROM competitions") == [(2,)]


def test_a_key_is_kept_for_ten_minutes(person: Callable[..., Person], world: World) -> None:
    one = person(forms.create)
    one.send()
    world.sql("UPDATE idempotency_keys SET began_at = began_at - interval '9 minutes'")
    one.send()
    assert world.sql("SELECT count(*) FROM competitions") == [(1,)]

    world.sql("UPDATE idempotency_keys SET began_at = began_at - interval '2 minutes'")
    with world.owner.transaction(by="tests") as tx:
        assert idempotency.forget_expired(tx) == 1
    one.send()

    assert world.sql("SELECT count(*) FROM competitions") == [(2,)]


def test_nothing_that_was_typed_is_stored(person: Callable[..., Person], world: World) -> None:
    for case in (forms.register, forms.password, forms.email):
        one = person(case)
        assert one.send().status_code == 303
        rows = str(world.sql("SELECT k::text, k.key_hash FROM idempotency_keys k"))
        secrets = [value for value in one.fields.values() if len(value) > 2] + [*one.before.values()]
        for secret in secrets:
            assert secret not in rows
        assert "choice" not in rows, "where somebody wants to go may name a choice"


# --- what a second press may not do ------------------------------------------------------------------------------------
def test_a_log_in_that_has_ended_is_not_begun_again_by_its_form(
    person: Callable[..., Person], world: World, hasher: CountingHasher
) -> None:
    """Whoever comes to the screen after somebody has logged out gets nothing of a key: the password is looked at again."""
    one = person(forms.login)
    assert one.send().status_code == 303
    assert one.browser.submit("/", "/logout").status_code == 303

    again = one.send(as_before=True)

    assert again.status_code == 303
    assert hasher.verified == 2
    assert world.sql("SELECT count(*) FROM idempotency_keys WHERE led_to = '/'") == [(1,)]


@pytest.mark.parametrize("case", [forms.register, forms.password])
def test_a_second_press_gives_no_session_that_was_ended_everywhere(
    person: Callable[..., Person], world: World, case: Case
) -> None:
    one = person(case)
    one.send()
    world.sql("INSERT INTO revocations (subject, expires_at) SELECT 'user:' || id, now() + interval '1 day' FROM users")

    one.send(as_before=True)

    assert not one.is_logged_in


def test_a_form_of_the_session_before_can_only_be_pressed_again(person: Callable[..., Person]) -> None:
    """Its token proves that it is this browser's, but somebody else may have planted the session it is of."""
    one = person(forms.login)
    assert one.send().status_code == 303

    assert one.send(next="/account").status_code == 403


# --- while the first is under way --------------------------------------------------------------------------------------
@contextmanager
def standing_still(owner: Database, table: str) -> Iterator[None]:
    """Nobody can write to a table: a change waits in the middle of its transaction."""
    with owner.transaction(by="tests") as tx:
        tx.execute("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
        tx.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")  # type: ignore[arg-type]
        yield


def waiting(owner: Database) -> int:
    with owner.read() as tx:
        row = tx.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
    assert row is not None
    return int(row[0])


def test_the_second_press_waits_for_the_first(person: Callable[..., Person], world: World, owner: Database) -> None:
    one = person(forms.create)
    with ThreadPoolExecutor(1) as pool:
        with standing_still(owner, "competitions"):
            answers = pool.submit(one.at_once)
            wait_until(lambda: waiting(owner) == 2, what="the first waits for the table, the second for the first")
        first, second = answers.result()

    assert first.status_code == 303
    assert seen(second) == seen(first)
    assert world.sql("SELECT count(*) FROM competitions") == [(1,)]


def test_the_second_press_waits_five_seconds_and_is_told(person: Callable[..., Person], owner: Database) -> None:
    one = person(forms.create)
    with ThreadPoolExecutor(1) as pool, standing_still(owner, "competitions"):
        answers = pool.submit(one.at_once).result()

    assert [answer.status_code for answer in answers] == [503, 503]
    assert "What you sent first is still being worked on" in answers[0].text + answers[1].text


def test_a_first_press_that_fails_leaves_the_key_to_the_second(
    person: Callable[..., Person], world: World, owner: Database
) -> None:
    one = person(forms.create)
    world.sql("ALTER TABLE options RENAME TO away")
    assert one.send().status_code == 500
    world.sql("ALTER TABLE away RENAME TO options")

    assert one.send().status_code == 303
    assert world.sql("SELECT count(*) FROM competitions") == [(1,)]


def test_a_refusal_is_told_only_when_the_key_is_nobodys(person: Callable[..., Person], app: Flask) -> None:
    """The second press passes the gate; then the first uses the link up; then the second finds it used."""
    one = person(forms.reset)

    def first_press() -> None:
        if "X-Second" in request.headers:
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(one.another().send, one.press.path, one.fields).result().status_code == 303

    app.before_request_funcs[None].append(first_press)  # after the gate

    second = one.another().send(one.press.path, one.fields, {"X-Second": "yes"})

    assert (second.status_code, second.location) == (303, "/login?done=reset")


# --- cookies -----------------------------------------------------------------------------------------------------------
def test_a_browser_without_cookies_is_told_so(person: Callable[..., Person], app: Flask) -> None:
    one = person(forms.login)

    answer = app.test_client(use_cookies=False).post(
        "/login", base_url=HTTPS, data=one.fields, headers=one.browser.headers
    )

    assert answer.status_code == 403
    assert "Your browser sent no cookie. Allow cookies for this site, or open it with https://" in answer.text
    stale = person(forms.login).send(csrf_token=one.fields["csrf_token"])
    assert stale.status_code == 403
    assert "This form is too old" in stale.text
