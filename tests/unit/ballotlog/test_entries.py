"""Entries of the log, read back; and what a process knows of the log's clock."""

import time
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vote.ballotlog.clock import LogClock
from vote.ballotlog.entries import STATES_OF_RULES, Rules, Unreadable, parse
from vote.domain.ballot import Ballot

# Hypothesis wants naive bounds and adds the zone afterwards.
BOUNDS = datetime(2020, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001
moments = st.none() | st.datetimes(*BOUNDS).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)


@given(
    st.integers(1, 2**52 - 1), st.integers(1, 2**53), st.sampled_from(STATES_OF_RULES), moments, moments, st.booleans()
)
def test_rules_are_read_back_as_they_were(competition, version, state, opens, closes, change) -> None:  # type: ignore[no-untyped-def]
    rules = Rules(competition, version, state, opens, closes, change, "abc")

    assert Rules.parse(competition, rules.text()) == rules
    assert parse("7-0", f"rules ff {competition} {rules.text()}").content == rules


def test_a_ballot_is_read_back() -> None:
    entry = parse("12-0", "ballot 0123456789abcdef0123456789abcdef 3 42 b 1800000000123")

    assert (entry.position, entry.id) == (12, "0123456789abcdef0123456789abcdef")
    assert entry.content == Ballot(
        UUID("0123456789abcdef0123456789abcdef"), 3, 42, "b", datetime.fromtimestamp(1_800_000_000.123, UTC)
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ballot",
        "ballot x 3 42 b 1",
        "ballot 0123456789abcdef0123456789abcdef 3 42 bb 1",
        "ballot 0123456789abcdef0123456789abcdef 3 42 B 1",
        "ballot 0123456789abcdef0123456789abcdef 0 42 b 1",
        "ballot 0123456789abcdef0123456789abcdef 3 99999999999999999 b 1",
        "ballot 0123456789abcdef0123456789abcdef 3 42 b 99999999999999999999",
        "rules x 1 1|nonsense|||0|ab",
        "rules x 1",
        "erase x 0",
        "erase x",
    ],
)
def test_what_cannot_be_read_is_kept_with_the_reason(text: str) -> None:
    content = parse("1-0", text).content

    assert isinstance(content, Unreadable)
    assert content.entry == text
    assert content.reason


@given(st.text())
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    assert parse("1-0", text).position == 1


@given(st.floats(-1e6, 1e6), st.floats(0, 0.5), st.floats(0, 1), st.floats(0.01, 5))
def test_a_deadline_has_passed_in_the_log_when_it_is_said_to_have(
    offset_s: float, round_trip_s: float, part: float, budget_s: float
) -> None:
    """R3, for every offset, asymmetry and duration of the answer that told the time."""
    clock, began = LogClock(), time.monotonic()
    log_time = (began + part * round_trip_s + offset_s) * 1000
    clock.learn(began, began + round_trip_s, int(log_time // 1))

    deadline_ms, passed_at = clock.deadline(budget_s)

    assert (passed_at + offset_s) * 1000 >= deadline_ms
