"""How many ballots are on their way to the database."""

from collections.abc import Callable

import pytest

from tests.casting import cast
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.services.container import Services
from vote.web.pages import pending_ballots
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]


def test_pending_counts_ballots_and_no_markers(
    services: Services,
    owner: Database,
    log: BallotLog,
    worker: Worker,
    settings: Settings,
    make_user: MakeUser,
    make_competition: MakeCompetition,
) -> None:
    one, other = make_competition(), make_competition()
    for competition, voters in ((one, 3), (other, 2)):
        for _ in range(voters):
            cast(settings, competition.id, make_user().id, "a")
    change.close_voting(owner, log, one.id, by="tests")  # eight markers

    with services.db.read() as tx:
        assert pending_ballots.ballots(services, tx) == (5, True)
        assert pending_ballots.ballots(services, tx, one.id) == (3, True)
    for shard in range(settings.vote_shards):
        worker.drain(shard)
    change.open_voting(owner, log, one.id, by="tests")  # rules that nobody has recorded yet
    with services.db.read() as tx:
        assert pending_ballots.ballots(services, tx) == (0, True)


def test_of_very_many_entries_the_rest_counts_as_ballots(
    services: Services,
    settings: Settings,
    worker: Worker,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pending_ballots, "LOOK_THROUGH", 1)
    one, voter = make_competition(allow_change=True), make_user()
    worker.step()
    for choice in "abab":
        cast(settings, one.id, voter.id, choice)

    with services.db.read() as tx:
        assert pending_ballots.ballots(services, tx, one.id) == (4, False)
        assert pending_ballots.ballots(services, tx, one.id + 1) == (3, False)
