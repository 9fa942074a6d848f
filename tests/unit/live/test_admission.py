"""Which addresses and which pages open a socket."""

import pytest

from vote.errors import NotFound
from vote.live.admission import competition_of, is_own_page


@pytest.mark.parametrize(("path", "number"), [("/live/1", 1), ("/live/4503599627370495", 2**52 - 1)])
def test_an_id_is_read(path: str, number: int) -> None:
    assert competition_of(path) == number


@pytest.mark.parametrize(
    "end",
    ["", "0", "01", "-1", "+1", "1/", "1 ", "1\n", "a", "1.0", "1_0", "4503599627370496", "9" * 5000, "\u0661", "²"],
)
def test_everything_else_is_not_there(end: str) -> None:
    with pytest.raises(NotFound):
        competition_of(f"/live/{end}")


@pytest.mark.parametrize("path", ["/", "/liv/1", "/live1", "//live/1", "1"])
def test_other_addresses_have_no_socket(path: str) -> None:
    with pytest.raises(NotFound):
        competition_of(path)


@pytest.mark.parametrize(
    ("given", "is_ours"),
    [
        ("https://vote.example", True),
        ("HTTPS://Vote.Example", True),  # RFC 6454: scheme and host are compared in lower case
        ("https://10.0.0.5:8080", False),
        ("http://10.0.0.5:8080", True),  # the host asked for, over plain HTTP as it was asked
        ("http://vote.example", False),
        ("https://vote.example/", False),
        ("https://vote.example:443", False),
        ("wss://vote.example", False),
        ("", False),
    ],
)
def test_the_public_address_and_the_host_asked_for_are_ours(given: str, is_ours: bool) -> None:
    hosts = ["10.0.0.5:8080", "vote.example"]

    assert is_own_page(given, hosts, False, "https://vote.example/") is is_ours


def test_without_a_public_address_the_scheme_is_that_of_the_request() -> None:
    opened = [
        (given, is_secure)
        for given in ("http://vote.example", "https://vote.example")
        for is_secure in (False, True)
        if is_own_page(given, ["vote.example"], is_secure, None)
    ]

    assert opened == [("http://vote.example", False), ("https://vote.example", True)]
