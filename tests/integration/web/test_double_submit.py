"""The second press of every form, and the press after a lost answer, get the answer of the first and change nothing.

The table below holds a case for each route that a form of a browser can be sent to; a route without one fails the test.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from flask import Flask, request

from tests import forms
from tests.counting_hasher import CountingHasher
from tests.forms import Case, World
from tests.integration.web.double_submit import Person, app, hasher, person, seen, world
from tests.stack import wait_until
from vote.db.pool import Database
from vote.worker.worker import Worker

__all__ = ["app", "hasher", "person", "world"]  # fixtures
EVERY = [pytest.param(case, id=name) for name, case in forms.every_case()]


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


@pytest.mark.parametrize("name", ["delete", "save"])
def test_presses_in_the_same_moment_make_one_change_where_voting_is_held_for_it(
    worker: Worker, person: Callable[..., Person], world: World, name: str
) -> None:
    """A hold is nobody's but the first press's: the second may not overtake it (`actions/competition_holds.py`)."""
    one = person(forms.step("delete") if name == "delete" else forms.save)
    first, *others = one.at_once(3)

    assert first.status_code == 303, first.text
    assert [seen(other) for other in others] == [seen(first)] * 2
    assert world.sql("SELECT count(*) FROM competitions WHERE held_until IS NOT NULL") == [(0,)]


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
    assert "Your first request is still being processed" in answers[0].text + answers[1].text


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
