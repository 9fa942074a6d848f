"""When new votes were committed: told by the shards that moved since the reading before."""

import time

import pytest

from vote.db.shard_positions import Move
from vote.live.commit_times import CommitTimes


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)


def test_the_oldest_of_those_that_moved_since_counts() -> None:
    commits = CommitTimes()
    commits.oldest_new({0: Move(10, 5), 1: Move(12, 3), 2: Move(1, 14)})

    assert commits.oldest_new({0: Move(16, 0.5), 1: Move(15.75, 0.75), 2: Move(1, 15.5)}) == 99.25


def test_nothing_is_known_of_the_first_reading_and_where_none_moved() -> None:
    commits = CommitTimes()

    assert commits.oldest_new({0: Move(10, 5)}) is None
    assert commits.oldest_new({0: Move(10, 6)}) is None
