"""The pure rules: receipts, shards, states, visibility, tallies."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vote.domain import policy
from vote.domain.ballot import shard_of
from vote.domain.competition import (
    MAY_BECOME,
    Competition,
    State,
    Visibility,
    keyed_options,
    next_version,
    state_to_begin_with,
)
from vote.domain.person import Person
from vote.domain.receipt import group_receipt, receipt_code
from vote.domain.tally import Tally
from vote.errors import Conflict, NotAllowed, NotFound

NOW = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
ORGANISER, OTHER = Person(1, "mara", "organiser"), Person(2, "ola", "organiser")
ADMIN, VOTER = Person(3, "admin", "admin"), Person(4, "vera", "voter")


def competition(state: State = "open", visibility: Visibility = "live", opened: bool = True) -> Competition:
    return Competition(
        id=1,
        name="Which stage?",
        description="",
        state=state,
        options=keyed_options(["River stage", "Hall stage"]),
        opens_at=None,
        closes_at=None,
        allow_change=False,
        results_visibility=visibility,
        receipt_key=b"k" * 32,
        rules_version=1,
        revision=1,
        organiser_id=ORGANISER.id,
        created_at=NOW,
        opened_at=NOW if opened else None,
        closed_at=None,
    )


ids = st.integers(1, 2**52 - 1)


@given(ids, ids, st.integers(1, 1024))
def test_a_voters_shard_is_one_of_the_shards_and_always_the_same(competition: int, voter: int, shards: int) -> None:
    assert 0 <= shard_of(competition, voter, shards) < shards
    assert shard_of(competition, voter, shards) == shard_of(competition, voter, shards)


def test_the_hash_of_shards_never_changes() -> None:
    """A running log rests on it: these figures are from the first release."""
    assert [shard_of(1, voter, 8) for voter in range(1, 11)] == [6, 2, 7, 4, 0, 2, 5, 4, 2, 1]


def test_voters_spread_over_the_shards() -> None:
    counts = [0] * 8
    for voter in range(1, 8001):
        counts[shard_of(1, voter, 8)] += 1

    assert min(counts) > 850
    assert max(counts) < 1150


@given(st.binary(min_size=32, max_size=32), ids)
def test_a_receipt_is_the_same_on_every_retry_and_can_be_read_aloud(key: bytes, voter: int) -> None:
    receipt = receipt_code(key, voter)

    assert receipt == receipt_code(key, voter)
    assert len(receipt) == 19
    assert set(receipt) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567-")
    assert group_receipt(f" {receipt.lower().replace('-', '')} ") == receipt


def test_receipts_of_two_voters_or_competitions_differ() -> None:
    assert receipt_code(b"k" * 32, 1) != receipt_code(b"k" * 32, 2)
    assert receipt_code(b"k" * 32, 1) != receipt_code(b"l" * 32, 1)


def test_a_new_competition_is_open_unless_it_opens_later() -> None:
    assert state_to_begin_with(opens_at=None, now=NOW) == "open"
    assert state_to_begin_with(opens_at=NOW, now=NOW) == "open"
    assert state_to_begin_with(opens_at=NOW + timedelta(seconds=1), now=NOW) == "scheduled"


@given(st.integers(0, 2**53))
def test_a_rules_version_grows_also_when_the_clock_steps_back(previous: int) -> None:
    assert next_version(previous, NOW) > previous
    assert next_version(previous, NOW) >= int(NOW.timestamp() * 1000)


@pytest.mark.parametrize("state", MAY_BECOME)
def test_a_state_may_become_what_the_table_says_and_nothing_else(state: State) -> None:
    for other in MAY_BECOME:
        if other in MAY_BECOME[state]:
            policy.check_become(competition(state), other)
        else:
            with pytest.raises(Conflict):
                policy.check_become(competition(state), other)


def test_only_the_own_organiser_and_admins_manage() -> None:
    assert [policy.can_manage(who, competition()) for who in (None, VOTER, OTHER, ORGANISER, ADMIN)] == [
        False,
        False,
        False,
        True,
        True,
    ]
    with pytest.raises(NotAllowed):
        policy.check_manage(OTHER, competition())


def test_a_draft_and_an_archived_one_are_seen_by_who_runs_them() -> None:
    for state in ("draft", "archived"):
        for who in (None, VOTER, OTHER):
            with pytest.raises(NotFound):
                policy.check_see(who, competition(state))
        assert policy.check_see(ORGANISER, competition(state))
        assert policy.check_see(ADMIN, competition(state))
    with pytest.raises(NotFound):
        policy.check_see(ADMIN, None)


@pytest.mark.parametrize(
    ("state", "visibility", "stranger", "voted", "organiser"),
    [
        ("open", "live", True, True, True),
        ("open", "after_vote", False, True, True),
        ("open", "after_close", False, False, True),
        ("closing", "after_vote", False, True, True),
        ("closing", "after_close", False, False, True),
        ("closed", "after_vote", True, True, True),
        ("closed", "after_close", True, True, True),
        ("draft", "live", False, False, True),
        ("archived", "live", False, False, True),
    ],
)
def test_results_are_shown_by_one_rule(
    state: State, visibility: Visibility, stranger: bool, voted: bool, organiser: bool
) -> None:
    one = competition(state, visibility)

    assert policy.can_see_results(None, one, has_voted=False) == stranger
    assert policy.can_see_results(VOTER, one, has_voted=True) == voted
    assert policy.can_see_results(ORGANISER, one, has_voted=False) == organiser
    if not stranger:
        with pytest.raises(NotAllowed, match="results"):
            policy.check_see_results(None, one, has_voted=False)


def test_what_voters_were_promised_stays() -> None:
    with pytest.raises(Conflict):
        policy.check_change_of_rules(competition(), options=True, allow_change=False)
    with pytest.raises(Conflict):
        policy.check_change_of_rules(competition(), options=False, allow_change=True)
    with pytest.raises(Conflict):
        policy.check_change_of_visibility(competition(visibility="after_close"), "live")
    for state in ("open", "closing", "closed"):
        for stricter, looser in (("after_close", "after_vote"), ("after_vote", "live"), ("after_close", "live")):
            with pytest.raises(Conflict):
                policy.check_change_of_visibility(competition(state, visibility=stricter), looser)
            policy.check_change_of_visibility(competition(state, visibility=looser), stricter)
    policy.check_change_of_visibility(competition("scheduled", "after_close", opened=False), "live")
    policy.check_change_of_rules(competition("draft", opened=False), options=True, allow_change=True)


def test_a_tally_says_who_leads_and_shows_every_option() -> None:
    tally = Tally(1, 17, "open", {"a": 6, "b": 4})

    assert tally.snapshot() == {
        "competition": 1,
        "version": 17,
        "state": "open",
        "total": 10,
        "options": {"a": 6, "b": 4},
    }
    assert tally.leaders == ("a",)
    assert replace(tally, counts={"a": 2, "b": 2}).leaders == ("a", "b")
    assert replace(tally, counts={"a": 0, "b": 0}).leaders == ()


def test_an_etag_changes_with_every_revision() -> None:
    assert competition().etag != replace(competition(), revision=2).etag
