"""Whose word counts for the id of a request, and that a ballot's id is never chosen by anybody."""

from typing import Any

import pytest

from vote.server.request_id import BALLOT_ID, HALF, REQUEST_ID, identify, parse

GIVEN = "8f3c2a90b1d4e5f60718293a4b5c6d7e"
AS_UUID = "8f3c2a90-b1d4-e5f6-0718-293a4b5c6d7e"
NOT_IDS = ["", "mine", GIVEN[:-1], f"{GIVEN}0", f"{GIVEN}\n{{}}", GIVEN.replace("8", "g"), "é" * 16, f'{GIVEN[:-1]}"']


def scope(*values: str) -> dict[str, Any]:
    """A request with these ids in its head."""
    return {"headers": [(b"host", b"x"), *((b"x-request-id", value.encode("latin-1")) for value in values)]}


@pytest.mark.parametrize("given", [GIVEN, GIVEN.upper(), AS_UUID, f" {GIVEN} "])
def test_our_proxy_names_the_request(given: str) -> None:
    one = scope(given)

    assert identify(one, is_from_proxy=True) == GIVEN == one[REQUEST_ID]
    assert one["headers"] == [(b"host", b"x"), (b"x-request-id", GIVEN.encode())]


def test_nobody_else_does() -> None:
    one = scope(GIVEN)

    assert identify(one, is_from_proxy=False) != GIVEN
    assert one["headers"][-1] == (b"x-request-id", one[REQUEST_ID].encode())
    assert one[BALLOT_ID] == one[REQUEST_ID]


@pytest.mark.parametrize("given", NOT_IDS)
def test_what_is_no_id_is_replaced(given: str) -> None:
    one = scope(given)

    identify(one, is_from_proxy=True)

    assert parse(one[REQUEST_ID].encode()) == one[REQUEST_ID] != given


def test_of_two_ids_none_counts() -> None:
    """One of them may be a client's that the proxy has passed on."""
    one = scope(GIVEN, AS_UUID)

    assert identify(one, is_from_proxy=True) != GIVEN


def test_names_with_an_underscore_do_not_pass_for_ours() -> None:
    one = {"headers": [(b"x_request_id", GIVEN.encode())]}

    identify(one, is_from_proxy=True)

    assert one["headers"] == [(b"x-request-id", one[REQUEST_ID].encode())]  # type: ignore[index]


def test_a_ballot_is_found_by_its_request_and_is_its_own() -> None:
    """R4: a second ballot with an id that is there is taken for the same ballot."""
    ballots = set()
    for _ in range(50):
        one = scope(GIVEN)
        identify(one, is_from_proxy=True)
        assert parse(one[BALLOT_ID].encode()) == one[BALLOT_ID]
        assert one[BALLOT_ID][:HALF] == GIVEN[:HALF]
        ballots.add(one[BALLOT_ID])

    assert len(ballots) == 50
