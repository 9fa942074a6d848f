"""Which numbers in an address are ids."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule

from vote.domain.ids import MAX_ID
from vote.web.id_converter import IdConverter, pattern_up_to

RULES = [Rule("/<id:one>", methods=["GET"], endpoint="read"), Rule("/<id:one>", methods=["DELETE"], endpoint="end")]
ADDRESSES = Map(RULES, converters={"id": IdConverter}).bind("localhost")


@given(st.integers(1, MAX_ID) | st.integers(MAX_ID - 1000, MAX_ID))
def test_every_id_is_one(number: int) -> None:
    assert ADDRESSES.match(f"/{number}") == ("read", {"one": number})


@given(st.integers(MAX_ID + 1) | st.integers(MAX_ID + 1, MAX_ID + 1000) | st.integers(max_value=0))
def test_what_is_out_of_range_is_not_there_for_any_method(number: int) -> None:
    for method in ("GET", "DELETE"):
        with pytest.raises(NotFound):
            ADDRESSES.match(f"/{number}", method)


@pytest.mark.parametrize("text", ["01", "1.0", "a", "1a", "+1", " 1", "1\n", "\u0661", "²"])
def test_what_is_no_plain_number_is_not_there(text: str) -> None:
    with pytest.raises(NotFound):
        ADDRESSES.match(f"/{text}")


@pytest.mark.parametrize("most", [1, 9, 10, 21, 109, 210, 1000, 1999])
def test_the_pattern_is_that_of_all_numbers_up_to_one(most: int) -> None:
    pattern = re.compile(pattern_up_to(most))

    assert [number for number in range(2 * most + 12) if pattern.fullmatch(str(number))] == list(range(1, most + 1))
