"""Who may watch: from which page, what is there, what is hidden, and how many at once."""

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
import websocket

from tests.casting import cast
from tests.integration.live.conftest import Site, close_code, running, snapshot, snapshot_with
from tests.stack import wait_until
from vote.actions import competitions
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import tallies, votes
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.live import endpoint
from vote.services.container import Services
from vote.worker.worker import Worker

Make = Callable[..., Competition]
MakeUser = Callable[..., Account]
Count = Callable[..., None]


ORIGINS = {
    "https://vote.example": 101,
    "HTTPS://VOTE.EXAMPLE": 101,  # upper case is the same origin
    None: 101,  # no browser; cookies do not count then
    "https://evil.example": 403,
    "null": 403,
    "https://live.vote.example": 403,
    "https://vote.example.evil.example": 403,
    "https://vote.example:8443": 403,
    "http://vote.example": 403,
    "https://vote.example@evil.example": 403,
    "https://somebody@vote.example": 403,
    "https://xn--vte-qqa.example": 403,
    "https://evilvote.example": 403,
    "https://vote.example/": 403,
    "https://vote.example https://evil.example": 403,
    "": 403,
}


def test_pages_of_others_are_refused(public_site: Site, make_competition: Make) -> None:
    competition = make_competition().id

    answers = {
        origin: public_site.refused(
            competition, host="vote.example", headers={} if origin is None else {"Origin": origin}
        )
        for origin in ORIGINS
    }

    assert answers == ORIGINS


def test_the_host_asked_for_is_ours_too(site: Site, make_competition: Make) -> None:
    competition = make_competition().id

    assert site.refused(competition, origin=site.origin) == 101
    assert site.refused(competition, origin=site.origin.replace("http:", "https:")) == 403
    assert site.refused(competition, headers={"Origin": "https://a.example", "X-Forwarded-Proto": "https"},
                        host="a.example") == 101  # fmt: skip
    assert site.refused(competition, origin="http://localhost:1") == 403


NOT_THERE = ("0", "-1", "01", "4503599627370495", "4503599627370496", "9" * 40, "a", "1/2", "", "1%0a")


def test_what_is_not_there_is_404(site: Site, make_competition: Make) -> None:
    make_competition()

    assert {address: site.refused(address) for address in NOT_THERE} == dict.fromkeys(NOT_THERE, 404)


def test_a_refusal_says_why(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        site.open(2**52 - 1)

    assert refusal.value.resp_headers["content-type"] == "application/problem+json"
    assert refusal.value.resp_headers["cache-control"] == "no-store"
    assert b"There is no such competition." in refusal.value.resp_body
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_draft_does_not_exist_for_others(site: Site, make_competition: Make, organiser: Person) -> None:
    competition = make_competition(draft=True).id

    assert site.refused(competition) == 404
    assert site.refused(competition, origin=site.origin, cookie=site.cookie(organiser.id)) == 101


def test_results_after_the_close_are_hidden_until_then(
    site: Site,
    make_competition: Make,
    make_user: MakeUser,
    organiser: Person,
    owner: Database,
    log: BallotLog,
    worker: Worker,
) -> None:
    competition = make_competition(results_visibility="after_close").id
    voter = make_user()
    as_organiser = {"origin": site.origin, "cookie": site.cookie(organiser.id)}
    assert site.refused(competition) == 403
    assert site.refused(competition, origin=site.origin, cookie=site.cookie(voter.id)) == 403
    assert site.refused(competition, cookie=site.cookie(organiser.id)) == 403, "without Origin cookies do not count"
    assert site.refused(competition, origin="http://evil.example", cookie=site.cookie(organiser.id)) == 403
    opened = site.open(competition, **as_organiser)
    assert snapshot(opened)["state"] == "open"

    competitions.close_voting(owner, log, competition, by=organiser)
    assert snapshot(opened)["state"] == "closing"
    assert site.refused(competition) == 403, "not yet final"
    wait_until(lambda: _step(worker, competition) == "closed", what="it is final")

    assert snapshot(opened)["state"] == "closed"
    anybody = site.open(competition)
    assert snapshot(anybody)["state"] == "closed"
    competitions.open_voting(owner, log, competition, by=organiser)  # open again: hidden again
    assert close_code(anybody) == 4403
    assert snapshot(opened)["state"] == "open"


def _step(worker: Worker, competition: int) -> str:
    """The state after a step of the worker, which also finishes closings."""
    worker.step()
    with worker.db.read() as tx:
        return tallies.read(tx, [competition])[competition].state


def test_results_after_voting_are_for_those_who_have_voted(
    site: Site,
    make_competition: Make,
    make_user: MakeUser,
    token_of: Callable[[Account], str],
    settings: Settings,
    owner: Database,
    worker: Worker,
) -> None:
    competition = make_competition(results_visibility="after_vote").id
    voter, other = make_user(), make_user()
    bearer = {"Authorization": f"Bearer {token_of(voter)}"}
    assert site.refused(competition, headers=bearer) == 403

    assert cast(settings, competition, voter.id, "b").result == "accepted"
    with owner.read() as tx:
        assert votes.choice_of(tx, competition, voter.id) is None
    opened = site.open(competition, headers=bearer)  # accepted is enough
    assert snapshot(opened)["total"] == 0
    worker.step()

    assert snapshot_with(opened, 1)["options"] == {"a": 0, "b": 1}
    assert site.refused(competition, headers=bearer) == 101
    assert site.refused(competition, headers={"Authorization": f"Bearer {token_of(other)}"}) == 403
    assert site.refused(competition) == 403


def test_results_that_become_hidden_later_end_for_those_who_may_not(
    site: Site, make_competition: Make, owner: Database, log: BallotLog, organiser: Person
) -> None:
    competition = make_competition().id
    opened = site.open(competition)
    snapshot(opened)

    competitions.change(owner, log, competition, by=organiser, if_match=None, results_visibility="after_close")

    assert close_code(opened) == 4403


def test_a_full_process_says_so(site: Site, make_competition: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "SOCKETS_MAX", 2)
    competition = make_competition().id
    first, second = site.open(competition), site.open(competition)
    snapshot(first), snapshot(second)

    assert site.refused(competition) == 503
    assert endpoint.WATCHERS._value.get() == 2


def test_one_account_and_one_network_have_only_so_many_places(
    services: Services, make_competition: Make, make_user: MakeUser
) -> None:
    competition, people = make_competition().id, [make_user(), make_user()]
    few = {"limit_sockets_per_account": 2, "limit_sockets_per_network": 3}
    with running(replace(services, settings=services.settings.model_copy(update=few))) as site:
        as_somebody = [{"origin": site.origin, "cookie": site.cookie(who.id, sid=f"sid-{who.id}")} for who in people]

        open_now = [site.open(competition, **as_somebody[0]) for _ in range(2)]
        assert site.refused(competition, **as_somebody[0]) == 429
        assert site.refused(competition, **as_somebody[1]) == 101, "others have places of their own"
        strangers = [site.open(competition) for _ in range(3)]
        for one in (*open_now, *strangers):
            snapshot(one)
        assert site.refused(competition) == 429
        assert site.refused(competition, **as_somebody[1]) == 101, "who is logged in does not count for the network"

        strangers.pop().close()
        wait_until(lambda: site.refused(competition) == 101, what="a place that is given back can be taken")


def test_an_end_of_the_process_sends_everybody_elsewhere(site: Site, make_competition: Make) -> None:
    competition = make_competition().id
    opened = [site.open(competition) for _ in range(3)]
    for one in opened:
        snapshot(one)

    site.in_loop(site.live.stop)

    assert [close_code(one) for one in opened] == [1012] * 3
    assert site.refused(competition) == 503


@pytest.mark.parametrize(("say", "code"), [(["x" * 1025], 1009), (["x" * 5000], 1009), (["hello"] * 20, 1008)])
def test_a_client_that_says_too_much_is_closed(site: Site, make_competition: Make, say: list[str], code: int) -> None:
    opened = site.open(make_competition().id)
    snapshot(opened)

    for word in say:
        opened.send(word)

    assert close_code(opened) == code
