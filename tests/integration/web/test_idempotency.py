"""Whose an idempotency key is, how long it is kept, what is stored of it, and what a second press may not do."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests import forms
from tests.counting_hasher import CountingHasher
from tests.forms import Case, World
from tests.integration.clients import HTTPS
from tests.integration.web.double_submit import Person, app, hasher, person, world
from vote.db import idempotency_keys

__all__ = ["app", "hasher", "person", "world"]  # fixtures


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
        assert idempotency_keys.forget_expired(tx) == 1
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
    assert "This form has expired" in stale.text
