"""Figures of /metrics that are read from the stores when somebody asks for them, also while a store is frozen."""

import time
from collections.abc import Callable

import pytest

from tests.casting import cast
from tests.servers import Pair
from tests.stack import wait_until
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.metrics.exposition import MetricsPage
from vote.server.metrics_page import metrics_page
from vote.services.container import Services
from vote.worker.worker import Worker

PROMISED_S = 3.0  # of a scrape, whatever is frozen


def read(page: MetricsPage) -> dict[str, float]:
    lines = [line for line in page.text().decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def figures(services: Services) -> dict[str, float]:
    return read(metrics_page(services))


@pytest.fixture
def page(services: Services, worker: Worker) -> MetricsPage:
    """The page of a web that has reached both stores before."""
    made = metrics_page(services)
    wait_until(lambda: read(made)["vote_database_up"] == read(made)["vote_log_up"] == 1)
    return made


def test_how_old_backups_are_and_when_one_was_proved(services: Services, owner: Database) -> None:
    never = figures(services)
    with owner.transaction(by="tests") as tx:
        tx.execute(
            "INSERT INTO backups (label, started_at, finished_at, verified_at) VALUES"
            " ('old', to_timestamp(100), to_timestamp(110), to_timestamp(900)),"
            " ('new', to_timestamp(500), to_timestamp(510), to_timestamp(600)),"
            " ('unproved', to_timestamp(700), to_timestamp(710), NULL), ('begun', to_timestamp(800), NULL, NULL)"
        )
    found = figures(services)

    names = [f"vote_{name}_timestamp_seconds" for name in ("backup", "backup_verified", "restore_drill")]
    assert [never[name] for name in names] == [0, 0, 0]
    assert [found[name] for name in names] == [700, 500, 900]


def test_what_needs_a_person(
    services: Services,
    owner: Database,
    wiped: Competition,
    set_one_aside: Callable[[int], None],
    make_user: Callable[..., Account],
) -> None:
    before = figures(services)
    set_one_aside(wiped.id)
    with owner.transaction(by="tests") as tx:
        tx.execute(
            "INSERT INTO login_locks (user_id, expires_at)"
            " VALUES (%s, now() + interval '1 day'), (%s, now() - interval '1 s')",
            (make_user().id, make_user().id),
        )
        tx.execute(
            "INSERT INTO outbox (kind, recipient, done_at) VALUES ('reset', 'a@b.de', NULL), ('reset', NULL, NULL)"
        )
    after = figures(services)

    names = ["vote_rejected_ballots_total", "vote_unmatched_ballots_total", "vote_accounts_locked", "vote_mail_waiting"]
    assert [before[name] for name in names] == [0, 0, 0, 0]
    assert [after[name] for name in names] == [1, 1, 1, 1]
    assert after["vote_gaps_open"] >= 1


def test_ballots_that_were_reinstated_stay_counted(
    services: Services, owner: Database, make_competition: Callable[..., Competition], make_user: Callable[..., Account]
) -> None:
    with owner.transaction(by="tests") as tx:
        tx.execute(
            "INSERT INTO reinstatements (competition_id, asked_by, reason, done_at, ballots) VALUES (%s, %s, 'r', now(), 7)",
            (make_competition().id, make_user().id),
        )

    assert figures(services)["vote_unmatched_ballots_total"] == 7


def test_each_shard_tells_what_it_holds(
    services: Services,
    settings: Settings,
    page: MetricsPage,
    worker: Worker,
    make_competition: Callable[..., Competition],
    make_user: Callable[..., Account],
) -> None:
    competition = make_competition()
    worker.step()
    shard = cast(settings, competition.id, make_user().id, "a").shard
    waiting = read(page)
    worker.step()
    recorded = read(page)

    name = f'vote_shard_pending_ballots{{shard="{shard}"}}'
    assert (waiting[name], waiting["vote_pending_ballots"], recorded[name]) == (1, 1, 0)
    assert waiting[f'vote_shard_lag_seconds{{shard="{shard}"}}'] == waiting["vote_lag_seconds"] > 0
    assert len([name for name in recorded if name.startswith("vote_shard_lag_seconds")]) == settings.vote_shards


def test_the_log_tells_its_memory_and_whether_it_is_written(services: Services, page: MetricsPage) -> None:
    client = services.log._redis
    limit = client.config_get("maxmemory")["maxmemory"]
    usual = read(page)
    client.config_set("maxmemory", "100kb")
    try:
        full = read(page)
    finally:
        client.config_set("maxmemory", limit)

    assert usual["vote_log_memory_bytes"] > 0
    assert usual["vote_log_memory_limit_bytes"] == float(limit)
    assert (usual["vote_log_writable"], usual["vote_log_replicas"]) == (1, 0)
    assert (full["vote_log_writable"], full["vote_log_memory_limit_bytes"]) == (0, 100 * 1024)


def test_the_log_is_asked_once_for_its_server(services: Services, page: MetricsPage, log: BallotLog) -> None:
    def calls() -> int:
        return int(services.log._redis.info("commandstats").get("cmdstat_info", {"calls": 0})["calls"])

    before = calls()
    page.text()

    assert calls() - before == 2, "one of the page, one of this test"


def test_a_frozen_database_leaves_the_rest(page: MetricsPage, servers: Pair) -> None:
    servers.freeze_database()
    try:
        for _ in range(2):  # the second while the first is still asking
            began = time.monotonic()
            found = read(page)
            assert time.monotonic() - began < PROMISED_S
            assert found["vote_database_up"] == 0
            assert found["vote_log_up"] == found["vote_log_writable"] == 1
            assert "vote_accepted_total" in found
            assert "vote_recorded_total" not in found
    finally:
        servers.thaw_database()

    wait_until(lambda: read(page)["vote_database_up"] == 1)


def test_a_statement_that_hangs_leaves_the_rest(page: MetricsPage, owner: Database) -> None:
    with owner.transaction(by="tests") as tx:
        tx.execute("LOCK TABLE log_positions IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        found = read(page)
        took = time.monotonic() - began

    assert took < PROMISED_S
    assert (found["vote_database_up"], found["vote_log_up"]) == (0, 1)


def test_a_frozen_log_leaves_the_rest(page: MetricsPage, servers: Pair) -> None:
    servers.freeze_log()
    try:
        for _ in range(2):
            began = time.monotonic()
            found = read(page)
            assert time.monotonic() - began < PROMISED_S
            assert found["vote_log_up"] == 0
            assert found["vote_database_up"] == 1
            assert found["vote_recorded_total"] == 0
            assert "vote_log_writable" not in found
    finally:
        servers.thaw_log()

    wait_until(lambda: read(page)["vote_log_up"] == 1)
