"""A real streaming replica, for exports and reports: used while it is fresh, and without an error left when it is away."""

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from flask.testing import FlaskClient

from tests.integration.db.standby import (
    A_BUSY_MACHINE_S,
    MAX_LAG_S,
    Standby,
    client,
    count,
    environment,
    follow,
    has_reached,
    snapshot,
    standby,
)
from tests.stack import wait_until
from vote import config
from vote.db import replica
from vote.db.pool import Database
from vote.db.replica import Replica
from vote.domain.competition import Competition
from vote.services.container import Services

__all__ = ["client", "environment", "standby"]  # the fixtures

Make = Callable[..., Competition]


def test_results_come_from_the_primary(
    client: FlaskClient, services: Services, owner: Database, standby: Standby, make_competition: Make
) -> None:
    """On a page, by API and live: what anybody has seen, nobody goes back from."""
    competition = make_competition().id
    count(owner, competition, a=1)
    wait_until(lambda: has_reached(standby, owner), what="the replica has the votes")
    standby.pause()
    count(owner, competition, a=1, b=1)

    by_api = snapshot(client, competition)
    page = client.get(f"/results/{competition}", base_url="https://localhost").text
    versions = follow(services, competition, lambda: time.sleep(0.5))

    assert services.replica.is_fresh, "it was in use, and was not asked"
    assert (by_api["total"], by_api["options"]) == (3, {"a": 2, "b": 1})
    assert f'data-version="{by_api["version"]}"' in page
    assert versions == [by_api["version"]]


def test_an_idle_primary_is_not_a_late_replica(client: FlaskClient, services: Services) -> None:
    deadline, looks = time.monotonic() + 2 * MAX_LAG_S, []
    while time.monotonic() < deadline:
        looks.append(services.replica.is_fresh)
        time.sleep(0.02)

    assert all(looks)


def test_it_cannot_be_written(services: Services, client: FlaskClient, standby: Standby) -> None:
    assert services.replica.ask(lambda tx: tx.execute("CREATE TEMPORARY TABLE t ()")) is None
    with (
        psycopg.connect(services.settings.database_replica_url or "") as reports,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        reports.execute("CREATE TEMPORARY TABLE t ()")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        standby.say("CREATE TABLE t ()")


def test_what_is_asked_there_has_the_role_of_reports(services: Services, client: FlaskClient) -> None:
    role = services.replica.ask(lambda tx: tx.execute("SELECT current_user, pg_is_in_recovery()").fetchone())

    assert role == ("vote_reports", True)
    assert services.replica.ask(lambda tx: tx.execute("SELECT email FROM users").fetchall()) is None


def test_an_export_is_read_from_it_only_when_it_holds_all_that_the_primary_holds(
    client: FlaskClient, services: Services, owner: Database, standby: Standby, make_competition: Make
) -> None:
    def export() -> list[str] | None:
        """The names of competitions, when the replica tells them."""
        with services.db.read() as tx:
            return services.replica.ask_up_to_now(
                lambda there: [row[0] for row in there.execute("SELECT name FROM competitions")], tx
            )

    make_competition(name="The first")
    wait_until(lambda: export() == ["The first"], what="the replica is asked")
    standby.pause()
    make_competition(name="The second")
    late, still_fresh = export(), services.replica.is_fresh
    standby.resume()

    assert still_fresh, "fresh enough for results"
    assert late is None, "not for an export: the primary is asked"
    wait_until(lambda: set(export() or []) == {"The first", "The second"}, what="it is asked again")


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_one_that_is_away_costs_no_error_and_one_short_timeout(
    client: FlaskClient, services: Services, standby: Standby, fault: str
) -> None:
    def asked() -> float:
        began = time.monotonic()
        services.replica.ask(lambda tx: tx.execute("SELECT 1").fetchone())
        return time.monotonic() - began

    usual = max(asked() for _ in range(20))  # without the fault, on this machine

    getattr(standby, fault)()
    seconds = []
    for _ in range(20):
        seconds.append(asked())
        time.sleep(0.1)

    assert max(seconds) < replica.TIMEOUT_S + A_BUSY_MACHINE_S
    assert sum(one > replica.TIMEOUT_S + usual for one in seconds) <= 1, seconds
    standby.thaw()
    if fault == "kill":
        standby.restart()
    wait_until(lambda: services.replica.is_fresh, what="the replica is used again")


def test_a_server_that_follows_nobody_is_no_replica(environment: dict[str, str], reports: Database) -> None:
    settings = config.load({**environment, "DATABASE_REPLICA_URL": environment["DATABASE_URL"]})
    itself = Replica(settings.replica(), reports, size=1, max_lag_s=MAX_LAG_S)
    itself.start()
    time.sleep(1.5 * replica.CHECK_EVERY_S)

    assert not itself.is_fresh
    assert itself.ask(lambda tx: tx.execute("SELECT 1").fetchone()) is None
    itself.close()


@pytest.fixture
def reports(environment: dict[str, str]) -> Iterator[Database]:
    """The primary as readers of results see it."""
    db = Database(config.load(environment).database("reports"), size=2, name="vote reports")
    yield db
    db.close()


def test_without_a_replica_nothing_is_measured(reports: Database) -> None:
    none = Replica(None, reports, size=1, max_lag_s=MAX_LAG_S)
    none.start()

    assert not none.is_fresh
    assert none.ask(lambda tx: tx.execute("SELECT 1").fetchone()) is None
    assert reports._pool.closed, "the primary was asked how far it is"
    none.close()


def test_a_measurement_that_a_failed_ask_has_overtaken_says_nothing(reports: Database) -> None:
    it = Replica(None, reports, size=1, max_lag_s=MAX_LAG_S)
    under_way, position = time.monotonic(), 7

    it._give_up("it is frozen")
    it._judge((under_way, position), position)
    assert not it.is_fresh

    it._judge((time.monotonic(), position), position)
    assert it.is_fresh
