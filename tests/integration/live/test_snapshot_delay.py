"""How long after its commit a vote is on each watcher's socket."""

import time
from collections.abc import Callable

from tests.casting import cast
from tests.figures import figure
from tests.integration.live.conftest import Site, snapshot, snapshot_with
from tests.stack import wait_until
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker.worker import Worker

NAME = "vote_snapshot_delay_seconds"


def test_each_socket_is_measured_from_the_commit_on(
    site: Site,
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition = make_competition()
    count, total = figure(f"{NAME}_count"), figure(f"{NAME}_sum")
    watchers = [site.open(competition.id) for _ in range(3)]
    for one in watchers:
        snapshot(one)
    assert figure(f"{NAME}_count") == count, "the first message is as old as the last vote"

    began = time.monotonic()
    cast(settings, competition.id, make_user().id, "a")
    worker.step()
    for one in watchers:
        snapshot_with(one, 1)
    took = time.monotonic() - began

    wait_until(lambda: figure(f"{NAME}_count") == count + 3)
    assert 0 < figure(f"{NAME}_sum") - total < 3 * took
