"""How long a ballot waits until it is recorded, by the clock of the log that accepted it."""

import time
from collections.abc import Callable

import pytest

from tests.casting import cast
from tests.figures import figure
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker.worker import Worker

NAME = "vote_recorded_delay_seconds"


def test_each_ballot_is_measured_once_at_its_commit(
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition, count, total = make_competition(), figure(f"{NAME}_count"), figure(f"{NAME}_sum")
    began = time.monotonic()
    for _ in range(3):
        cast(settings, competition.id, make_user().id, "a")
    waited = time.monotonic()
    worker.step()
    worker.step()
    took = time.monotonic() - began

    assert figure(f"{NAME}_count") == count + 3, "rules and markers are no ballots"
    assert 0 < figure(f"{NAME}_sum") - total < 3 * took + 0.1
    assert waited - began >= 0


def test_a_wrong_clock_of_the_worker_does_not_count(
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    competition, before = make_competition(), figure(f"{NAME}_sum")
    cast(settings, competition.id, make_user().id, "a")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3_600)
    worker.step()

    assert figure(f"{NAME}_sum") - before < 60
