"""R11: a log belongs to one installation; another one is refused whatever it asks for, and changes nothing."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import redis

from tests.casting import cast
from tests.model.strangers import ACTS
from vote import config
from vote.ballotlog import keys
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import shard_positions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.installation import Installation
from vote.errors import ForeignLog, LogUnavailable
from vote.server.probes import readiness
from vote.services.container import Services
from vote.worker import foreign_log
from vote.worker.worker import Worker

Make = Callable[..., Competition]


@pytest.fixture
def stranger(settings: Settings) -> Iterator[BallotLog]:
    """The log as another installation reaches it."""
    with closing(BallotLog(settings.log_url, settings.vote_shards, Installation("5" * 32))) as log:
        yield log


@pytest.fixture
def strange_settings(environment: dict[str, str], other_database_url: str) -> Settings:
    """The same log, another database."""
    return config.load(environment | {"DATABASE_URL": other_database_url})


@pytest.fixture
def strange_worker(strange_settings: Settings) -> Iterator[Worker]:
    one = Worker.from_settings(strange_settings)
    yield one
    one.close()


def everything(settings: Settings) -> dict[bytes, Any]:
    """All that is in the log."""
    with redis.Redis.from_url(settings.log_url) as client:
        return {key: client.dump(key) for key in client.keys("vote:{*")}


def test_an_empty_log_belongs_to_who_comes_first(worker: Worker, log: BallotLog, strange_worker: Worker) -> None:
    assert {owner for owner, _ in log.owners()} == {log.installation.id}

    with pytest.raises(ForeignLog) as refused:
        strange_worker.prepare()

    assert str(log.installation.id) in str(refused.value)
    assert str(strange_worker.log.installation.id) in str(refused.value)
    assert str(log.installation.id) not in refused.value.detail, "a voter is told no more than to press again"


@pytest.mark.parametrize("what", list(ACTS))
def test_another_installation_is_refused_whatever_it_asks_for(
    what: str, worker: Worker, log: BallotLog, stranger: BallotLog, make_competition: Make
) -> None:
    competition = make_competition()
    before = log.describe(0)

    with pytest.raises(ForeignLog):
        ACTS[what](stranger, before, competition.id)

    assert log.describe(0)._replace(now_ms=0) == before._replace(now_ms=0)


def test_an_erasure_of_another_installation_is_refused(worker: Worker, log: BallotLog, stranger: BallotLog) -> None:
    before = [shard.last for shard in log.describe_all()]

    assert not stranger.append_erasure(1)
    with pytest.raises(ForeignLog):
        stranger._fcall("vote_erase", [keys.log(0), keys.state(0)], *_made_for(log), 1, "0" * 32)

    assert [shard.last for shard in log.describe_all()] == before


def _made_for(log: BallotLog) -> tuple[int, str, str]:
    shard = log.describe(0)
    return shard.now_ms + 60_000, shard.epoch, shard.instance


def test_a_ballot_of_another_installation_is_refused(
    settings: Settings,
    strange_settings: Settings,
    worker: Worker,
    make_competition: Make,
    make_user: Callable[..., Account],
) -> None:
    competition, voter = make_competition(), make_user()

    with pytest.raises(LogUnavailable):
        cast(strange_settings, competition.id, voter.id, "b")

    assert cast(settings, competition.id, voter.id, "a").result == "accepted"


def test_the_functions_of_another_installation_stay_as_they_are(
    settings: Settings, worker: Worker, log: BallotLog, strange_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the whole server's: another version would change what the owner runs."""
    before, held = log._call("FUNCTION LIST", "WITHCODE"), everything(settings)
    monkeypatch.setattr("vote.ballotlog.log.LIBRARY", f"#!lua name=votebox\n-- {secrets.token_hex(4)}\n" + LATER)

    with pytest.raises(ForeignLog):
        strange_worker.prepare()

    assert log._call("FUNCTION LIST", "WITHCODE") == before
    assert everything(settings) == held


LATER = "redis.register_function('vote_later', function() return 1 end)\n"


def test_two_that_start_together_do_not_share_a_log(
    settings: Settings, owner: Database, log: BallotLog, stranger: BallotLog, worker: Worker
) -> None:
    log._call("FLUSHALL")
    stranger.claim(0, "")

    with pytest.raises(ForeignLog):
        foreign_log.claim(worker.db, worker.log)

    assert [found for found, _ in log.owners()] == ["5" * 32] + [""] * (log.shards - 1)


def test_a_log_from_before_owners_belongs_to_who_has_recorded_its_epoch(
    owner: Database, log: BallotLog, worker: Worker, strange_worker: Worker
) -> None:
    for shard in range(log.shards):
        log._call("HDEL", keys.state(shard), "installation")
    with pytest.raises(ForeignLog):
        log.describe(0)

    log._call("FUNCTION FLUSH")
    with pytest.raises(ForeignLog):
        strange_worker.prepare()
    assert log._call("FUNCTION LIST") == [], "it has not been changed"
    worker.prepare()
    worker.step()

    assert all(shard.ready for shard in log.describe_all())
    with owner.read() as tx:
        assert shard_positions.open_gaps(tx) == []


def test_readiness_says_whose_log_it_is(worker: Worker, log: BallotLog, strange_settings: Settings) -> None:
    services = Services.from_settings(strange_settings)
    services.start()
    try:
        reasons = readiness(services).reasons
    finally:
        services.close()

    assert [str(log.installation.id) in one and str(services.installation.id) in one for one in reasons] == [True]


def test_what_is_taken_over_is_empty(
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    stranger: BallotLog,
    make_competition: Make,
    make_user: Callable[..., Account],
) -> None:
    competition, voter = make_competition(), make_user()
    shard = cast(settings, competition.id, voter.id, "a").shard
    before = log.describe(shard)

    with pytest.raises(ForeignLog):
        stranger.adopt(shard, "another one")
    stranger.adopt(shard, str(log.installation.id))

    after = stranger.describe(shard)
    assert (after.ready, after.last, after.epoch == before.epoch) == (False, 0, False)
    assert stranger.read_after(shard, 0, 10) == []
    assert stranger.stored_choice(competition.id, voter.id) is None
    with pytest.raises(ForeignLog):
        log.read_after(shard, 0, 10)
