"""A worker on a log with a replica that acknowledgements wait for: PostgreSQL is never ahead of the replica."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.casting import cast, installation_of
from tests.sentinel import ReplicatedLog, replicated_log
from tests.servers import Pair
from tests.stack import wait_until
from vote import config
from vote.actions import competitions
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import votes
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.person import Person
from vote.errors import LogUnavailable
from vote.worker.worker import Worker


@pytest.fixture
def replicated(servers: Pair, tmp_path: Path) -> Iterator[ReplicatedLog]:
    folder = tmp_path / "log"
    folder.mkdir()
    with replicated_log(servers.programs.redis_server, folder) as log:
        yield log


@pytest.fixture
def settings(environment: dict[str, str], replicated: ReplicatedLog) -> Settings:
    return config.load({**environment, "BALLOT_LOG_URL": replicated.url, "BALLOT_LOG_MIN_REPLICAS": "1"})


def test_what_the_replica_lacks_is_not_recorded(
    replicated: ReplicatedLog,
    environment: dict[str, str],
    settings: Settings,
    owner: Database,
    worker: Worker,
    organiser: Person,
    make_user: Callable[..., Account],
) -> None:
    voter = make_user()
    with closing(BallotLog(settings.log_url, settings.vote_shards, installation_of(settings))) as log:
        one = competitions.create(owner, log, by=organiser, name="Which stage?", options=["River stage", "Hall stage"])
    worker.step()

    def choice() -> str | None:
        with owner.read() as tx:
            return votes.choice_of(tx, one.id, voter.id)

    primary = config.load({**environment, "BALLOT_LOG_URL": f"redis://127.0.0.1:{replicated.primary()}"})
    frozen = replicated.freeze_replica()
    assert cast(primary, one.id, voter.id, "a").result == "accepted", "by a box that waits for nobody"
    with pytest.raises(LogUnavailable, match="replicas"):
        worker.step()
    assert choice() is None

    replicated.thaw(frozen)
    wait_until(lambda: worker.step() == 1, what="recorded when the replica has it")
    assert choice() == "a"
