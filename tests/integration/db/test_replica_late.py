"""Results while the replica stands still: nobody goes back, and what is final is never asked there."""

import time
from collections.abc import Callable

from flask.testing import FlaskClient

from tests.integration.db.standby import (
    A_BUSY_MACHINE_S,
    MAX_LAG_S,
    Standby,
    become,
    client,
    count,
    environment,
    follow,
    has_reached,
    snapshot,
    standby,
)
from tests.stack import wait_until
from vote.db.pool import Database
from vote.domain.competition import Competition
from vote.services.container import Services

__all__ = ["client", "environment", "standby"]  # the fixtures

Make = Callable[..., Competition]


def test_one_that_stands_still_is_left_and_used_again(
    client: FlaskClient, services: Services, owner: Database, standby: Standby, make_competition: Make
) -> None:
    competition = make_competition().id
    count(owner, competition, a=1)
    wait_until(lambda: has_reached(standby, owner), what="the replica has the votes")
    snapshot(client, competition)
    versions: list[int] = []
    took: dict[str, float] = {}

    def see(total: int) -> bool:
        found = snapshot(client, competition)
        versions.append(found["version"])
        return int(found["total"]) == total

    def events() -> None:
        standby.pause()
        count(owner, competition, a=1)
        began = time.monotonic()
        wait_until(lambda: see(2), what="the primary is read")
        took["left"] = time.monotonic() - began
        standby.resume()
        wait_until(lambda: services.replica.is_fresh and see(2), what="the replica is used again")
        count(owner, competition, a=1)
        wait_until(lambda: see(3), what="the replica shows what is new")

    told = follow(services, competition, events)

    assert took["left"] <= MAX_LAG_S + A_BUSY_MACHINE_S
    assert versions == sorted(versions), "no reader goes back"
    assert told == sorted(set(told)), "no watcher goes back"


def test_a_final_tally_is_the_primarys_while_the_replica_stands_still(
    client: FlaskClient, services: Services, owner: Database, standby: Standby, make_competition: Make
) -> None:
    competition = make_competition().id
    count(owner, competition, a=1)
    wait_until(lambda: has_reached(standby, owner), what="the replica has the votes")
    assert snapshot(client, competition)["state"] == "open"
    standby.pause()
    count(owner, competition, a=1)
    become(owner, competition, "closing")

    closing = snapshot(client, competition)
    last = count(owner, competition, b=1)
    become(owner, competition, "closed")
    closed = snapshot(client, competition)
    still_fresh = services.replica.is_fresh

    assert still_fresh, "the replica was in use, and was not asked"
    assert (closing["state"], closing["total"]) == ("closing", 2)
    assert (closed["state"], closed["total"], closed["options"]) == ("closed", 3, {"a": 2, "b": 1})
    assert closed["version"] > last
    page = client.get(f"/results/{competition}", base_url="https://localhost").text
    assert f'data-version="{closed["version"]}"' in page


def test_a_final_tally_that_the_replica_has_too_is_still_the_primarys(
    client: FlaskClient, services: Services, owner: Database, standby: Standby, make_competition: Make
) -> None:
    competition = make_competition().id
    count(owner, competition, a=1)
    become(owner, competition, "closing", "closed")
    wait_until(lambda: has_reached(standby, owner), what="the replica has the close")
    standby.pause()
    become(owner, competition, "open")
    count(owner, competition, b=1)

    reopened = snapshot(client, competition)
    told = follow(services, competition, lambda: time.sleep(0.5))

    assert (reopened["state"], reopened["total"]) == ("open", 2), "what was final there is not shown"
    assert told == [reopened["version"]]


def test_nobody_goes_back_from_what_a_process_has_shown(
    client: FlaskClient, services: Services, owner: Database, standby: Standby, make_competition: Make
) -> None:
    competition = make_competition().id
    count(owner, competition, a=1)
    wait_until(lambda: has_reached(standby, owner), what="the replica has the votes")
    standby.pause()
    count(owner, competition, a=1)
    become(owner, competition, "closing")
    closing = snapshot(client, competition)
    become(owner, competition, "open")

    again = snapshot(client, competition)

    assert services.replica.is_fresh
    assert again["version"] > closing["version"]
    assert again["total"] == 2, "the replica says open too, but with the figures from before"


def test_a_client_that_says_what_it_has_is_given_nothing_older(
    client: FlaskClient, services: Services, owner: Database, standby: Standby, make_competition: Make
) -> None:
    competition = make_competition().id
    count(owner, competition, a=1)
    wait_until(lambda: has_reached(standby, owner), what="the replica has the votes")
    standby.pause()
    elsewhere = count(owner, competition, a=1)

    answer = client.get(
        f"/api/competitions/{competition}/results",
        base_url="https://localhost",
        headers={"If-None-Match": f'"{competition}-{elsewhere}"'},
    )

    assert services.replica.is_fresh
    assert answer.status_code == 304
