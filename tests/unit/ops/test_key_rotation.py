"""The rotation of keys as a table: what each call changes, by where the rotation stands. A repeated call changes nothing."""

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from vote import secret_strength
from vote.errors import Conflict
from vote.ops import key_rotation
from vote.ops.key_rotation import KEYS, MARKER, OLD_KEYS_LIVE
from vote.secret_store import Secret

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
OLD = {"FLASK_SECRET_KEY": "old-flask", "JWT_SECRET": "old-jwt"}
PREVIOUS = [f"{key}_PREVIOUS" for key in KEYS]


def stored(values: Mapping[str, str], changed_at: datetime = NOW - timedelta(days=90)) -> dict[str, Secret]:
    return {name: Secret(value, "1", changed_at) for name, value in values.items() if value}


def step(values: dict[str, str], *, is_restarted: bool = False, now: datetime = NOW) -> dict[str, str]:
    """The values after a call."""
    return values | key_rotation.next_changes(stored(values), is_restarted=is_restarted, now=now)


def keys(values: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What signs, and what is accepted too."""
    return [values[key] for key in KEYS], [values.get(name, "") for name in PREVIOUS]


def test_a_rotation_accepts_first_then_signs_then_forgets() -> None:
    accepting = step(OLD)
    new = keys(accepting)[1]
    assert keys(accepting) == ([*OLD.values()], new)
    assert len({*new, *OLD.values()}) == 4
    assert not any(map(secret_strength.weakness, new))

    signing = step(accepting, is_restarted=True)
    assert keys(signing) == (new, [*OLD.values()])

    forgotten = step(signing, now=NOW + OLD_KEYS_LIVE)
    assert keys(forgotten) == (new, ["", ""])
    assert key_rotation.state_of(stored(forgotten)).stage == "idle"


def test_a_repeated_call_changes_nothing() -> None:
    """A script that runs again, an answer that was lost: neither may take a step before its time."""
    accepting = step(OLD)
    signing = step(accepting, is_restarted=True)

    assert step(accepting) == accepting
    for is_restarted, later in itertools.product((False, True), (timedelta(0), OLD_KEYS_LIVE - timedelta(seconds=1))):
        assert step(signing, is_restarted=is_restarted, now=NOW + later) == signing


def test_each_way_around_begins_anew() -> None:
    once = step(step(step(OLD), is_restarted=True), now=NOW + OLD_KEYS_LIVE)
    twice = step(once)

    assert keys(twice)[0] == keys(once)[0]
    assert not {*keys(twice)[1]} & {*keys(once)[0], *OLD.values()}


@pytest.mark.parametrize(
    ("values", "how", "reason"),
    [
        (OLD, {"is_restarted": True}, "No rotation is under way"),
        ({"JWT_SECRET": "old-jwt"}, {}, "FLASK_SECRET_KEY: not there. Make them with: vote secrets generate"),
        ({**OLD, MARKER: f"accepting {NOW.isoformat()}"}, {}, "do not fit together"),
        ({**OLD, "FLASK_SECRET_KEY_PREVIOUS": "a", "JWT_SECRET_PREVIOUS": "b", MARKER: "accepting"}, {}, "do not fit"),
        ({**OLD, "FLASK_SECRET_KEY_PREVIOUS": "a", "JWT_SECRET_PREVIOUS": "b", MARKER: f"x {NOW}"}, {}, "do not fit"),
    ],
)
def test_what_cannot_be_rotated_is_refused_with_the_reason(
    values: dict[str, str], how: dict[str, bool], reason: str
) -> None:
    with pytest.raises(Conflict, match=reason):
        step(values, **how)


@pytest.mark.parametrize(("hours", "is_refused"), [(24.9, True), (25, False)])
def test_a_key_that_is_still_needed_is_not_pushed_out_by_a_new_rotation(hours: float, is_refused: bool) -> None:
    """Somebody rotated by hand, or AWS did: what the key before signed may live for a day."""
    by_hand = stored({**OLD, "JWT_SECRET_PREVIOUS": "older"}, NOW - timedelta(hours=hours))

    if is_refused:
        with pytest.raises(Conflict, match="JWT_SECRET_PREVIOUS is still needed"):
            key_rotation.next_changes(by_hand, is_restarted=False, now=NOW)
    else:
        assert key_rotation.next_changes(by_hand, is_restarted=False, now=NOW)["JWT_SECRET_PREVIOUS"] != "older"


def test_stolen_keys_are_replaced_and_not_accepted_any_more() -> None:
    replaced = key_rotation.replaced_at_once()

    assert replaced.keys() == {*key_rotation.NAMES}
    assert keys(replaced)[1] == ["", ""]
    assert not {*keys(replaced)[0]} & {*OLD.values()}
