"""How long a session opens the ballot box: 30 minutes idle and 24 hours in all, by a clock that stands still."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.integration.asgi import Request, ask
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.identity import csrf, sessions
from vote.worker.worker import Worker

MINUTE, DAY = 60, 24 * 3600


@pytest.mark.parametrize(
    ("login_ago", "seen_ago", "status"),
    [
        (30 * MINUTE - 1, 30 * MINUTE - 1, 202),
        (30 * MINUTE + 1, 30 * MINUTE + 1, 401),
        (DAY - 1, 1, 202),
        (DAY + 1, 1, 401),
    ],
)
def test_a_session_votes_until_its_time_is_over(
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
    login_ago: int,
    seen_ago: int,
    status: int,
) -> None:
    number, voter = make_competition().id, make_user()
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1), tick=False):
        session: sessions.Session = {}
        sessions.begin(session, voter.id, now=time.time() - login_ago)
        session["seen"] = time.time() - seen_ago
        headers = {
            "Cookie": sessions.SessionCookie(settings).write(session).partition(";")[0],
            "Accept": "application/json",
            "Sec-Fetch-Site": "same-origin",
            "X-CSRF-Token": csrf.csrf_token(csrf.keys_of(settings)[0], session["sid"]),
            "Content-Type": "application/json",
        }

        (answer,) = ask(settings, [Request("POST", f"/vote/{number}", headers, b'{"vote":"a"}')])

    assert answer.status == status
    assert ("set-cookie" in answer.headers) == (status == 202), "voting is activity: the half hour begins anew"
