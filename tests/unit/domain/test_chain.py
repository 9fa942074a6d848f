"""Hash chains: what a row says is in its digest, where it stands is in its chain."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vote.domain.ballot import Ballot
from vote.domain.chain import BEGINNING, ChainLink, ballot_digest, links, milliseconds

CAST_AT = datetime(2026, 11, 24, 20, 0, 0, 123_000, tzinfo=UTC)
BALLOT = Ballot(UUID(int=1), 2, 3, "a", CAST_AT)

digests = st.lists(st.binary(min_size=32, max_size=32), max_size=8, unique=True)


def digest(ballot: Ballot = BALLOT, **place: Any) -> bytes:
    return ballot_digest(ballot, **{"shard": 4, "epoch": "first", "position": 5, "receipt": "ABCD", **place})


def test_the_digest_never_changes() -> None:
    """Journals rest on it: this is from the first release."""
    text = f"{BALLOT.id.hex}|2|3|a|1795550400123|4|first|5|ABCD"

    assert digest() == sha256(text.encode()).digest()


@pytest.mark.parametrize(
    "other",
    [
        digest(replace(BALLOT, id=UUID(int=2))),
        digest(replace(BALLOT, competition=3)),
        digest(replace(BALLOT, voter=4)),
        digest(replace(BALLOT, choice="b")),
        digest(replace(BALLOT, cast_at=CAST_AT + timedelta(milliseconds=1))),
        digest(shard=5),
        digest(epoch="second"),
        digest(position=6),
        digest(receipt="ABCE"),
    ],
)
def test_everything_a_row_says_is_in_its_digest(other: bytes) -> None:
    assert other != digest()


def test_a_digest_is_the_same_at_the_resolution_of_the_log() -> None:
    assert digest(replace(BALLOT, cast_at=CAST_AT + timedelta(microseconds=400))) == digest()
    assert milliseconds(CAST_AT) == 1_795_550_400_123


@given(digests, st.integers(0, 2**62))
def test_links_number_without_a_hole_and_each_holds_all_before_it(rows: list[bytes], after: int) -> None:
    made = list(links(after, BEGINNING, rows))

    assert [link.seq for link in made] == list(range(after + 1, after + 1 + len(rows)))
    chain = BEGINNING
    for link, row in zip(made, rows, strict=True):
        chain = sha256(chain + row).digest()
        assert link == ChainLink(link.seq, row, chain)


@given(digests, st.integers(0, 8))
def test_it_does_not_matter_where_a_batch_ends(rows: list[bytes], at: int) -> None:
    whole = list(links(0, BEGINNING, rows))
    first = list(links(0, BEGINNING, rows[:at]))
    head = first[-1] if first else ChainLink(0, b"", BEGINNING)

    assert first + list(links(head.seq, head.chain, rows[at:])) == whole


def test_every_order_and_every_part_has_another_end() -> None:
    rows = [bytes([number]) * 32 for number in range(4)]

    ends = [list(links(0, BEGINNING, order))[-1].chain for size in (1, 2, 3, 4) for order in permutations(rows, size)]

    assert len(set(ends)) == len(ends) == 64
