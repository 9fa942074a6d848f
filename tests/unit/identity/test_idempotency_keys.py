"""No form lacks its CSRF token and its idempotency key; keys are signed for a session, and another each time."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import vote.web
from vote.errors import ForgedForm
from vote.identity import idempotency_keys

TEMPLATES = Path(vote.web.__file__).parent / "templates"
FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
KEYS = [b"k" * 32]


def posting() -> dict[str, str]:
    """Every form that changes something, by the template it stands in."""
    found = [
        (path, form) for path in sorted(TEMPLATES.rglob("*.html")) for form in FORM.findall(path.read_text("utf-8"))
    ]
    return {
        f"{path.relative_to(TEMPLATES)} {number}": form
        for number, (path, form) in enumerate(found)
        if 'method="post"' in form
    }


def test_every_form_that_changes_something_has_a_token_and_a_key() -> None:
    forms = posting()
    without = {name for name, form in forms.items() if not re.search(r"\{\{ csrf\((csrf_)?token\) \}\}", form)}

    assert len(forms) > 15
    assert [name.partition(" ")[0] for name in without] == ["parts/ballot.html"], "the log takes one ballot per voter"


def test_nothing_but_the_macro_writes_a_token() -> None:
    by_hand = [path.name for path in TEMPLATES.rglob("*.html") if 'name="csrf_token"' in path.read_text("utf-8")]

    assert by_hand == ["forms.html"]


def test_a_key_is_of_one_session_and_another_each_time() -> None:
    key = idempotency_keys.new_key(KEYS[0], "sid")

    idempotency_keys.check(KEYS, "sid", key)
    idempotency_keys.check([b"n" * 32, *KEYS], "sid", key)
    assert key != idempotency_keys.new_key(KEYS[0], "sid")
    for sid, given in (("other", key), ("sid", key[:-1]), ("sid", "0" * 64), ("sid", ""), ("sid", "\u0660" * 64)):
        with pytest.raises(ForgedForm):
            idempotency_keys.check(KEYS, sid, given)


def test_route_key_and_what_was_typed_make_a_press() -> None:
    def press(route: str = "/a", key: str = "k", *fields: tuple[str, str]) -> bytes:
        return idempotency_keys.hash_of(route, key, fields or [("name", "x"), ("other", "y\ud800")])

    assert press() == press("/a", "k", ("other", "y\ud800"), ("name", "x"))
    assert len({press(), press("/b"), press("/a", "l"), press("/a", "k", ("name", "z"))}) == 4


def test_what_a_press_gives_is_made_of_it_again_and_of_nothing_else() -> None:
    began, press = datetime.now(UTC), b"p" * 32

    made = idempotency_keys.derived(KEYS[0], "session", press, began)

    assert made == idempotency_keys.derived(KEYS[0], "session", press, began.astimezone())
    others = {
        idempotency_keys.derived(b"n" * 32, "session", press, began),
        idempotency_keys.derived(KEYS[0], "device", press, began),
        idempotency_keys.derived(KEYS[0], "session", b"q" * 32, began),
        idempotency_keys.derived(KEYS[0], "session", press, began + timedelta(microseconds=1)),
    }
    assert len(others | {made}) == 5
