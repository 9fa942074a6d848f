"""What watchers are shown: the present first, then what changes, in order, and the truth again after an outage."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.integration.live.conftest import SOON_S, Site, close_code, snapshot, snapshot_with
from tests.servers import Pair
from tests.stack import wait_until
from vote.actions import competitions
from vote.ballotlog.log import BallotLog
from vote.db.pool import Database
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.errors import DatabaseUnavailable
from vote.live import tally_poller
from vote.live.messages import CompetitionView
from vote.live.tally_poller import TallyPoller
from vote.services.container import Services

Make = Callable[..., Competition]
Count = Callable[..., None]


def test_the_present_snapshot_comes_first(site: Site, make_competition: Make, count_votes: Count) -> None:
    competition = make_competition(options=["A", "B", "C"]).id
    count_votes(competition, a=6, b=4)

    first = snapshot(site.open(competition))

    assert first.pop("version") >= 2
    assert first == {"competition": competition, "state": "open", "total": 10, "options": {"a": 6, "b": 4, "c": 0}}


def test_votes_move_the_bars_of_every_watcher(site: Site, make_competition: Make, count_votes: Count) -> None:
    watched, other = make_competition().id, make_competition().id
    watchers = [site.open(watched), site.open(watched), site.open(other)]
    before = [snapshot(one) for one in watchers]

    count_votes(watched, a=1)
    count_votes(other, b=7)
    after = [snapshot(one) for one in watchers]

    assert [one["options"] for one in after] == [{"a": 1, "b": 0}, {"a": 1, "b": 0}, {"a": 0, "b": 7}]
    assert all(new["version"] > old["version"] for new, old in zip(after, before, strict=True))


def test_versions_only_grow_while_votes_rain(site: Site, make_competition: Make, count_votes: Count) -> None:
    competition = make_competition().id
    early = site.open(competition)

    def rain() -> None:
        for number in range(60):
            count_votes(competition, shard=number % 3, a=1)

    raining = threading.Thread(target=rain)
    raining.start()
    seen: list[list[Any]] = []
    for opened in (early, site.open(competition), site.open(competition)):
        seen.append([snapshot(opened)])
        while seen[-1][-1]["total"] < 60:
            seen[-1].append(snapshot(opened))
    raining.join()

    for snapshots in seen:
        versions = [one["version"] for one in snapshots]
        totals = [one["total"] for one in snapshots]
        assert versions == sorted(set(versions))
        assert totals == sorted(totals)
        assert totals[-1] == 60


def test_a_change_of_state_is_news(
    site: Site, make_competition: Make, owner: Database, log: BallotLog, organiser: Person
) -> None:
    competition = make_competition()
    opened = site.open(competition.id)
    before = snapshot(opened)

    competitions.close_voting(owner, log, competition.id, by=organiser)
    after = snapshot(opened)

    assert (before["state"], after["state"]) == ("open", "closing")
    assert after["version"] > before["version"]


def test_a_competition_that_is_taken_away_closes_its_sockets(
    site: Site, make_competition: Make, owner: Database, log: BallotLog, organiser: Person
) -> None:
    archived = make_competition()
    opened = site.open(archived.id)
    snapshot(opened)

    competitions.delete(owner, log, archived.id, by=organiser, if_match=None)

    assert close_code(opened) == 4404
    assert site.refused(archived.id) == 404


def test_after_an_outage_of_the_database_the_right_tally_arrives(
    site: Site, make_competition: Make, count_votes: Count, servers: Pair
) -> None:
    competition, other = make_competition().id, make_competition().id
    opened = site.open(competition)
    snapshot(opened)
    try:
        servers.kill_database()
        assert wait_until(lambda: site.refused(other), what="the outage is noticed") == 503
        assert snapshot(site.open(competition))["total"] == 0, "what was known last is still shown"
    finally:
        servers.restart_database()

    wait_until(lambda: _counted(count_votes, competition), what="the test reaches the database again")

    assert snapshot_with(opened, 5)["options"] == {"a": 5, "b": 0}
    assert site.refused(other) == 101


def _counted(count_votes: Count, competition: int) -> bool:
    with contextlib.suppress(Exception):
        count_votes(competition, a=5)
        return True
    return False


def test_a_database_without_its_tables_ends_nothing(
    site: Site, make_competition: Make, count_votes: Count, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the middle of a migration."""
    monkeypatch.setattr(tally_poller, "RESTART_S", 1e6)  # that is for what nobody expected
    competition = make_competition().id
    opened = site.open(competition)
    snapshot(opened)
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE tallies RENAME TO tallies_away")
        try:
            assert wait_until(lambda: site.refused(competition + 1) == 503)
        finally:
            owner.execute("ALTER TABLE tallies_away RENAME TO tallies")

    count_votes(competition, a=3)

    assert snapshot_with(opened, 3)["total"] == 3


def test_a_database_that_was_taken_back_in_time_brings_everybody_back(
    site: Site, make_competition: Make, count_votes: Count, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restore versions are lower than those that were sent: without this, watchers would see nothing more."""
    monkeypatch.setattr(tally_poller, "REWOUND_S", 0.3)
    competition = make_competition().id
    count_votes(competition, a=1)
    count_votes(competition, a=1)
    opened = site.open(competition)
    assert snapshot(opened)["total"] == 2

    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("UPDATE tallies SET version = 1, votes = 1")

    assert close_code(opened) == 1012
    assert snapshot(site.open(competition))["total"] == 1


def test_an_error_nobody_expected_does_not_end_the_feed(
    services: Services, make_competition: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally_poller, "RESTART_S", 0.05)
    breaks, works = make_competition().id, make_competition().id

    def tell(competition: int, _what: Any) -> None:
        if competition == breaks:
            raise LookupError

    async def run() -> CompetitionView | None:
        one = TallyPoller(services.reports, list, tell)
        one.start()
        try:
            with pytest.raises(DatabaseUnavailable):
                await one.view(breaks)
            return await one.view(works)
        finally:
            await one.stop()

    assert asyncio.run(run()) is not None


def test_a_feed_that_rests_wakes_for_the_first_watcher(services: Services, make_competition: Make) -> None:
    competition = make_competition().id
    watched: list[int] = []

    async def run() -> int:
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        one = TallyPoller(services.reports, lambda: watched, lambda number, _what: told.set_result(number))
        one.start()
        await asyncio.sleep(0)  # it rests now: there is nothing to follow
        watched.append(competition)
        one.wake()
        try:
            async with asyncio.timeout(SOON_S):
                return await told
        finally:
            await one.stop()

    assert asyncio.run(run()) == competition
