"""If-Match, as RFC 9110 §13.1.1 and §8.8.3 have it."""

import pytest

from vote.errors import StaleVersion, UnreadableVersion, VersionRequired
from vote.web.api import if_match

ETAG = '"7-3"'


@pytest.mark.parametrize("sent", [ETAG, f" {ETAG} ", f'"1-1", {ETAG}', f'"a,b",{ETAG}\t,W/"x"'])
def test_the_present_tag_among_those_sent_is_held_against(sent: str) -> None:
    assert if_match.check(sent, ETAG) == ETAG


def test_a_star_takes_any() -> None:
    assert if_match.check(" * ", ETAG) == "*"


@pytest.mark.parametrize("sent", ['"7-2"', '""', f"W/{ETAG}", '"1-1", "2-2"', '"7-3,"', '"\\"'])
def test_other_tags_are_stale(sent: str) -> None:
    with pytest.raises(StaleVersion):
        if_match.check(sent, ETAG)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        " ",
        ",",
        "7-3",
        "'7-3'",
        '"7-3',
        '7-3"',
        f"{ETAG} {ETAG}",
        f"*, {ETAG}",
        "**",
        f"w/{ETAG}",
        '"é"',
        '"1"' * 9_999,
    ],
)
def test_what_is_no_list_of_tags_is_not_taken_for_one(sent: str) -> None:
    with pytest.raises(UnreadableVersion):
        if_match.check(sent, ETAG)


def test_none_at_all_is_asked_for() -> None:
    with pytest.raises(VersionRequired):
        if_match.check(None, ETAG)
