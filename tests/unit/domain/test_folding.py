"""One module says when two texts that people write are the same."""

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vote.domain import folding

SAME_TO_THE_EYE = [
    ("A B", "A  B"),
    ("A B", " a\u00a0b\u3000"),
    ("A B", "A\u2800B"),
    ("Caf\u00e9", "Cafe\u0301"),
    ("Ja", "Ja\u200b"),
    ("Ja", "J\u00ada"),
    ("Ja", "\ufeffJa\u2060"),
    ("Ja", "J\u180ea\U000e0001"),
    ("No 1", "\uff2eo \u2460"),
    ("Stra\u00dfe", "STRASSE"),
]
UNLIKE = [("Ja", "Nein"), ("A B", "AB"), ("Café", "Cafe"), ("\U0001f44d", "\U0001f44e"), ("1", "2"), ("כן", "לא")]
NOTHING = [
    "",
    " ",
    "\u200b",
    "\u2060",
    "\u3164",
    "\u2800",
    "\u00ad",
    "\u115f\u1160",
    "\uffa0",
    "\ufe0f",
    "\U000e0100",
    "\u034f",
]


@pytest.mark.parametrize(("one", "other"), SAME_TO_THE_EYE)
def test_what_looks_the_same_is_the_same(one: str, other: str) -> None:
    assert folding.text_key(one) == folding.text_key(other)


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_what_looks_different_is_not_the_same(one: str, other: str) -> None:
    assert folding.text_key(one) != folding.text_key(other)


@pytest.mark.parametrize("text", NOTHING)
def test_nothing_to_see_is_nothing(text: str) -> None:
    assert not folding.is_visible(text)


@pytest.mark.parametrize("text", ["x", "?", "\U0001f44d", "\u202ex", "کن", "\u2764\ufe0f"])
def test_whatever_can_be_seen_is_something(text: str) -> None:
    assert folding.is_visible(text)


@given(st.text())
def test_keys_are_keys_of_themselves(text: str) -> None:
    for key in (folding.text_key, folding.username_key, folding.password_key, folding.trimmed):
        assert key(key(text)) == key(text)


@pytest.mark.parametrize("typed", ["Carla", " carla ", "CARLA\u00a0", "\u200bcarla\ufeff", "carla\t\n"])
def test_blanks_at_both_ends_and_case_are_no_part_of_a_user_name(typed: str) -> None:
    assert folding.username_key(typed) == "carla"


@pytest.mark.parametrize(
    "typed", ["adm\u0130n", "adm\u0131n", "\u212aarla", "ca rla", "ca\u200brla", "ab", "x" * 41, "a@b", ""]
)
def test_what_cannot_be_a_user_name_is_all_one(typed: str) -> None:
    assert folding.username_key(typed) == folding.NO_USERNAME


@pytest.mark.parametrize(
    "typed",
    [
        "k@BÜCHER2.example",
        "K@bücher2.example",
        "k@bu\u0308cher2.example",
        "k@xn--bcher2-3ya.EXAMPLE",
        " k@bücher2。example ",
    ],
)
def test_an_address_is_the_same_however_its_domain_is_written(typed: str) -> None:
    assert folding.email_key(typed) == "k@xn--bcher2-3ya.example"


@pytest.mark.parametrize(
    "domain", ["bücher.example", "straße.example", "παράδειγμα.example", "例え.example", "example.org"]
)
def test_a_labels_are_those_of_idna_2008(domain: str) -> None:
    assert folding.to_ascii(domain) == idna.encode(domain).decode("ascii")


def test_only_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    assert not folding.needs_smtputf8("k@bücher2.example")
    assert folding.needs_smtputf8("jürgen@example.org")
    assert folding.mail_address("K.x@bücher2.example") == "K.x@xn--bcher2-3ya.example"


def test_a_password_is_the_same_composed_and_decomposed_and_keeps_its_case() -> None:
    assert folding.password_key("Pa\u0308ss\u00a0wo\u0308rd") == folding.password_key("Päss wörd") == "Päss wörd"
    assert folding.password_key("ﬁ") == "ﬁ", "compatibility forms stay: RFC 8265 asks for NFC"
    assert folding.password_key("Pass123!") == "Pass123!"


def test_an_isolate_is_not_ended_by_what_it_holds() -> None:
    assert folding.isolated("plain") == "plain"
    assert folding.isolated("אם\u2069\u202e?") == "\u2068אם?\u2069"
