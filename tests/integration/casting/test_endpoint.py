"""`POST /vote/<id>` in one process: by token and by session, accepted, refused, limited, and not confirmed."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.asgi import Request, ask
from tests.log_schema import wrong_lines
from tests.silent_log import silent_log
from vote import logs
from vote.auth import create_jwt_token
from vote.ballotlog.ballot_box import BallotBox
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.identity import csrf, sessions
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]

BURST = 4


def by_token(settings: Settings, account: Account, *, confirmed: bool = True) -> dict[str, str]:
    token = create_jwt_token(account.id, secret=settings.jwt_secret, confirmed=confirmed)
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def by_session(settings: Settings, account: Account) -> dict[str, str]:
    session: sessions.Session = {}
    sessions.begin(session, account.id, now=time.time() - 60)
    return {
        "Cookie": sessions.SessionCookie(settings).write(session).partition(";")[0],
        "Sec-Fetch-Site": "same-origin",
        "X-CSRF-Token": csrf.csrf_token(csrf.keys_of(settings)[0], session["sid"]),
        "Content-Type": "application/json",
    }


def ballot(competition: Competition, headers: dict[str, str], choice: str = "a") -> Request:
    return Request("POST", f"/vote/{competition.id}", headers, json.dumps({"vote": choice}).encode())


def test_each_ballot_is_answered_for_what_the_log_decided(
    settings: Settings, worker: Worker, make_user: MakeUser, make_competition: MakeCompetition
) -> None:
    one = make_competition()
    token, session = by_token(settings, make_user()), by_session(settings, make_user())
    stranger = {"Content-Type": "application/json"}

    answers = ask(
        settings,
        [
            ballot(one, token),
            ballot(one, token),
            ballot(one, token, "b"),
            ballot(one, token, "z"),
            ballot(one, session),
            ballot(one, {**session, "X-CSRF-Token": "0" * 64}),
            ballot(one, stranger),
        ],
    )

    assert [answer.status for answer in answers] == [202, 200, 409, 422, 303, 403, 401]
    first, again = (json.loads(answer.body) for answer in answers[:2])
    assert (first["status"], first["receipt"]) == ("accepted", again["receipt"])
    assert answers[4].headers["location"] == f"/vote/{one.id}"
    assert "set-cookie" in answers[4].headers, "voting is activity: the session lives on"


def test_an_account_that_votes_too_often_is_told_so(
    settings: Settings, worker: Worker, make_user: MakeUser, make_competition: MakeCompetition
) -> None:
    one, account, other = make_competition(allow_change=True), make_user(), make_user()
    low = settings.model_copy(update={"limit_votes_burst": BURST, "limit_votes_per_s": 1})
    both = [by_token(settings, account), by_session(settings, account)]

    answers = ask(
        low, [ballot(one, both[n % 2], "ab"[n % 2]) for n in range(100)] + [ballot(one, by_token(low, other))]
    )

    statuses = [answer.status for answer in answers]
    assert 429 not in statuses[:BURST]
    assert 429 in statuses, "tokens and sessions of an account count together"
    assert statuses[-1] == 202
    assert next(answer for answer in answers if answer.status == 429).headers["retry-after"] == "1"


def test_who_has_not_confirmed_the_address_is_asked_to(
    settings: Settings, worker: Worker, make_user: MakeUser, make_competition: MakeCompetition
) -> None:
    asking = settings.model_copy(update={"email_confirmation": True})
    headers = by_token(settings, make_user(), confirmed=False)

    assert ask(asking, [ballot(make_competition(), headers)])[0].status == 403


def test_a_ballot_that_is_not_confirmed_is_sent_once(
    settings: Settings, worker: Worker, make_user: MakeUser, make_competition: MakeCompetition
) -> None:
    headers = by_token(settings, make_user())

    with silent_log() as log:
        answer = ask(settings.model_copy(update={"log_url": log.url}), [ballot(make_competition(), headers)])[0]

        assert answer.status == 503
        assert sum(b"vote_cast" in data for data in log.commands) == 1


def test_the_shared_call_is_nobodys_request(
    settings: Settings,
    worker: Worker,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What goes wrong in it concerns all ballots that share it: a line must not name one of them."""
    seen: list[str | None] = []
    exchange = BallotBox._exchange

    async def watched(box: BallotBox, *arguments: Any) -> list[Any]:
        seen.append(logs._request_id.get())
        return await exchange(box, *arguments)

    monkeypatch.setattr(BallotBox, "_exchange", watched)

    [answer] = ask(settings, [ballot(make_competition(), by_token(settings, make_user()))])

    assert answer.status == 202
    assert seen == [None]


def test_why_a_ballot_was_refused_is_in_its_line(
    settings: Settings,
    worker: Worker,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, forged = make_competition(), by_session(settings, make_user()) | {"X-CSRF-Token": "f" * 64}
    capsys.readouterr()  # what came before

    ask(settings, [ballot(one, {"Content-Type": "application/json"}), ballot(one, forged)])

    texts = capsys.readouterr().out.splitlines()
    assert list(wrong_lines(texts)) == []
    lines = [json.loads(text) for text in texts]
    assert [line["why"] for line in lines if line["event"] == "request"] == ["NotLoggedIn", "ForgedForm"]
    [refused] = [line for line in lines if line["event"] == "access refused"]
    assert (refused["why"], refused["endpoint"]) == ("ForgedForm", "vote")
    assert refused["request_id"] in [line["request_id"] for line in lines if line["event"] == "request"]
