"""Who may watch: from which page, logged in or not, and how long."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import websocket

from tests.casting import cast
from tests.integration.live.conftest import Site, close_code, running, snapshot, snapshot_with
from tests.services import Pair
from tests.stack import wait_until
from vote.actions import accounts, competitions
from vote.auth import create_jwt_token
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import tallies, users, votes
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person, Role
from vote.edge.parts import Parts
from vote.live import sockets
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


NOT_THERE = ("0", "-1", "01", "2147483647", "2147483648", "9" * 40, "a", "1/2", "", "1%0a")


def test_what_is_not_there_is_404(site: Site, make_competition: Make) -> None:
    make_competition()

    assert {address: site.refused(address) for address in NOT_THERE} == dict.fromkeys(NOT_THERE, 404)


def test_a_refusal_says_why(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        site.open(2**31 - 1)

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

    assert cast(settings, competition, voter.id, "b").word == "accepted"
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


def test_a_token_that_is_not_valid_is_401(site: Site, make_competition: Make) -> None:
    competition = make_competition().id

    for given in ("Bearer x", "Basic dTpw", "Bearer a.b.c", ""):
        assert site.refused(competition, headers={"Authorization": given}) == 401


def test_a_session_that_is_over_is_nobody(site: Site, make_competition: Make, organiser: Person) -> None:
    shown, hidden = make_competition().id, make_competition(results_visibility="after_close").id
    idle = {"origin": site.origin, "cookie": site.cookie(organiser.id, ago_s=1801)}

    assert site.refused(shown, **idle) == 101
    assert site.refused(hidden, **idle) == 403
    assert site.refused(shown, origin=site.origin, cookie="__Host-session=forged.by.me") == 101


@pytest.mark.parametrize("via", ["session", "token", "everything"])
def test_a_log_out_closes_the_socket_within_a_second(
    site: Site, make_competition: Make, make_user: MakeUser, owner: Database, via: str
) -> None:
    competition, stays = make_competition().id, make_user()
    watching_on = site.open(competition, origin=site.origin, cookie=site.cookie(stays.id, sid="another"))
    taken = []
    for number in range(3):  # the promise is a second; a machine that is busy gets three tries to keep it
        user = make_user()
        how, subject = _logged_in(site, user, via, number)
        opened = site.open(competition, **how)
        snapshot(opened)

        accounts.revoke(owner, by=user.id, subject=subject)
        began = time.monotonic()
        assert close_code(opened) == 4401
        taken.append(time.monotonic() - began)
        if taken[-1] <= 1:
            break

    assert min(taken) <= 1
    assert watching_on.connected
    snapshot(watching_on)


def _logged_in(site: Site, user: Account, via: str, number: int) -> tuple[dict[str, Any], str]:
    if via == "token":
        token = create_jwt_token(user.id, secret=site.parts.settings.jwt_secret)
        jti = site.live._admission._identifier.by_bearer(f"Bearer {token}".encode(), now=time.time()).subject
        return {"headers": {"Authorization": f"Bearer {token}"}}, jti
    sid = f"sid-{number}"
    how = {"origin": site.origin, "cookie": site.cookie(user.id, sid=sid)}
    return how, f"sid:{sid}" if via == "session" else f"user:{user.id}"


def test_an_open_socket_lives_as_long_as_its_session(site: Site, make_competition: Make, make_user: MakeUser) -> None:
    """29:59 in, 30:01 out, by the clock that the check is given."""
    opened = site.open(make_competition().id, origin=site.origin, cookie=site.cookie(make_user().id))
    snapshot(opened)
    (connection,) = site.live._open
    now = time.time()

    assert connection.viewer.is_logged_in(now + 30 * 60 - 1)
    assert not connection.viewer.is_logged_in(now + 30 * 60 + 1)


def test_a_session_that_runs_out_closes_the_socket(site: Site, make_competition: Make, make_user: MakeUser) -> None:
    opened = site.open(make_competition().id, origin=site.origin, cookie=site.cookie(make_user().id, ago_s=30 * 60 - 1))
    snapshot(opened)

    assert close_code(opened) == 4401


def test_a_role_that_is_taken_away_closes_hidden_results_within_a_second(
    site: Site, make_competition: Make, organiser: Person, owner: Database
) -> None:
    competition, taken = make_competition(results_visibility="after_close").id, []
    for _ in range(3):  # the promise is a second; a machine that is busy gets three tries to keep it
        _give_role(owner, organiser, "organiser")
        opened = site.open(competition, origin=site.origin, cookie=site.cookie(organiser.id))
        snapshot(opened)

        _give_role(owner, organiser, "voter")
        began = time.monotonic()
        assert close_code(opened) == 4403
        taken.append(time.monotonic() - began)
        if taken[-1] <= 1:
            break

    assert min(taken) <= 1


def test_a_role_that_is_taken_away_leaves_what_voters_see(
    site: Site,
    make_competition: Make,
    make_user: MakeUser,
    organiser: Person,
    owner: Database,
    settings: Settings,
    worker: Worker,
) -> None:
    shown, voted, hidden = (
        make_competition(results_visibility=when).id for when in ("live", "after_vote", "after_close")
    )
    voter = make_user()
    assert cast(settings, voted, voter.id, "a").word == "accepted"
    as_organiser = {"origin": site.origin, "cookie": site.cookie(organiser.id)}
    as_voter = {"origin": site.origin, "cookie": site.cookie(voter.id, sid="of-the-voter")}
    stay = [site.open(shown, **as_organiser), site.open(voted, **as_voter)]
    goes = site.open(hidden, **as_organiser)
    for one in (*stay, goes):
        snapshot(one)

    _give_role(owner, organiser, "voter")

    assert close_code(goes) == 4403
    assert not any(one._is_over for one in site.live._open if one.competition != hidden)


def _give_role(owner: Database, person: Person, role: Role) -> None:
    with owner.transaction(by="tests") as tx:
        users.set_role(tx, person.id, role)


def test_log_outs_are_known_while_the_database_is_away(
    site: Site, make_competition: Make, make_user: MakeUser, servers: Pair
) -> None:
    user = make_user()
    opened = site.open(make_competition().id, origin=site.origin, cookie=site.cookie(user.id))
    snapshot(opened)
    try:
        servers.kill_database()
        site.parts.revoked.add("sid:sid-of-the-test")  # the log-out of this very process

        assert close_code(opened) == 4401
    finally:
        servers.restart_database()


def test_a_full_process_says_so(site: Site, make_competition: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MAX_WATCHERS", 2)
    competition = make_competition().id
    first, second = site.open(competition), site.open(competition)
    snapshot(first), snapshot(second)

    assert site.refused(competition) == 503
    assert sockets.WATCHERS._value.get() == 2


def test_one_account_and_one_network_have_only_so_many_places(
    parts: Parts, make_competition: Make, make_user: MakeUser
) -> None:
    competition, people = make_competition().id, [make_user(), make_user()]
    few = {"limit_sockets_per_account": 2, "limit_sockets_per_network": 3}
    with running(replace(parts, settings=parts.settings.model_copy(update=few))) as site:
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
