"""Casting through the running system: every answer a voter may get, and one person one vote under pressure."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.browsing import Browser, csrf_token
from tests.conftest import JWT_SECRET
from tests.module_wide import database_url, environment, redis_url, stack
from tests.stack import Stack, wait_until
from vote.actions import competitions as change
from vote.auth import create_jwt_token
from vote.ballotlog.log import BallotLog
from vote.db import users
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]
TokenOf = Callable[[Account], str]


def journal(owner: Database, competition: Competition) -> list[tuple[object, ...]]:
    """Id, shard and position of each recorded ballot."""
    with owner.read() as tx:
        return tx.execute(
            "SELECT replace(id::text, '-', ''), shard, position FROM ballots WHERE competition_id = %s",
            (competition.id,),
        ).fetchall()


def test_a_vote_is_accepted_recorded_and_shown(
    stack: Stack, make_user: MakeUser, make_competition: MakeCompetition, token_of: TokenOf
) -> None:
    competition, token = make_competition(), token_of(make_user())

    told = stack.vote(competition.id, "a", token)

    assert told.status == 202
    assert told.json == {"status": "accepted", "competition": competition.id, "receipt": told.json["receipt"]}
    wait_until(lambda: stack.results(competition.id)["options"] == {"a": 1, "b": 0})
    again = stack.vote(competition.id, "a", token)
    assert (again.status, again.json) == (200, {**told.json, "status": "recorded"})
    receipt = stack.get(f"/api/receipts/{told.json['receipt']}")
    assert (receipt.status, receipt.json) == (200, {"status": "recorded"})


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"vote":"a"}'),
        ("application/x-www-form-urlencoded", b"vote=a"),
        (
            "multipart/form-data; boundary=xx",
            b'--xx\r\nContent-Disposition: form-data; name="vote"\r\n\r\na\r\n--xx--\r\n',
        ),
    ],
)
def test_every_kind_of_body_casts(
    stack: Stack,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    token_of: TokenOf,
    content_type: str,
    body: bytes,
) -> None:
    competition, token = make_competition(), token_of(make_user())

    told = stack.post(f"/vote/{competition.id}", body, token=token, content_type=content_type)

    assert told.status == 202, told


def test_each_refusal_has_its_own_clear_answer(
    stack: Stack,
    owner: Database,
    log: BallotLog,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    token_of: TokenOf,
) -> None:
    token, now = token_of(make_user()), datetime.now(UTC)
    running, early = make_competition(), make_competition(opens_at=now + timedelta(hours=1))
    closed, draft, archived = make_competition(), make_competition(draft=True), make_competition()
    stack.vote(running.id, "a", token)
    stack.vote(closed.id, "a", token)
    change.close_voting(owner, log, closed.id, by="tests")
    archived_by = make_user(role="admin").person
    change.delete(owner, log, archived.id, by=archived_by, if_match=None)

    def told(competition: int, choice: object, who: str | None = token, **how: object) -> tuple[int, str]:
        answer = stack.post(f"/vote/{competition}", {"vote": choice}, token=who, **how)
        assert answer.headers["Content-Type"] == "application/problem+json"
        body = answer.json
        assert body["status"] == answer.status
        return answer.status, body["detail"]

    answers = {
        "other choice": told(running.id, "b"),
        "before opening": told(early.id, "a"),
        "after closing": told(closed.id, "b"),
        "no such option": told(running.id, "z"),
        "not a key": told(running.id, "River stage"),
        "no choice": told(running.id, ""),
        "not a string": told(running.id, 7),
        "unknown": told(4711, "a"),
        "draft": told(draft.id, "a"),
        "archived": told(archived.id, "a"),
        "out of range": told(2**52, "a"),
        "no token": told(running.id, "a", None),
        "broken token": told(running.id, "a", token[:-2] + "xx"),
        "too large": told(running.id, "a" * 20_000),
    }

    assert {name: status for name, (status, _) in answers.items()} == {
        "other choice": 409,
        "before opening": 403,
        "after closing": 403,
        "no such option": 422,
        "not a key": 422,
        "no choice": 422,
        "not a string": 422,
        "unknown": 404,
        "draft": 404,
        "archived": 404,
        "out of range": 404,
        "no token": 401,
        "broken token": 401,
        "too large": 413,
    }
    assert "not started yet" in answers["before opening"][1]
    assert "has ended" in answers["after closing"][1]
    assert stack.vote(closed.id, "a", token).status == 200, "the stored ballot comes before the closing (R2)"


def test_two_hundred_presses_at_once_are_one_vote_fifty_times(
    stack: Stack, owner: Database, make_user: MakeUser, make_competition: MakeCompetition, token_of: TokenOf
) -> None:
    competition = make_competition()

    with ThreadPoolExecutor(64) as presses:
        for _ in range(50):
            token = token_of(make_user())
            answers = list(presses.map(lambda i, by=token: stack.vote(competition.id, "ab"[i % 2], by), range(200)))
            statuses = [answer.status for answer in answers]
            assert statuses.count(202) == 1
            assert set(statuses) == {202, 200, 409}
            assert len({answer.json["receipt"] for answer in answers if answer.status != 409}) == 1

    wait_until(lambda: stack.results(competition.id)["total"] == 50)
    assert len(journal(owner, competition)) == 50


def test_a_changed_vote_is_said_to_be_changed(
    stack: Stack, make_user: MakeUser, make_competition: MakeCompetition, token_of: TokenOf
) -> None:
    competition, token = make_competition(allow_change=True), token_of(make_user())

    first, second = stack.vote(competition.id, "a", token), stack.vote(competition.id, "b", token)

    assert (second.status, second.json) == (202, {**first.json, "changed": True})
    wait_until(lambda: stack.results(competition.id)["options"] == {"a": 0, "b": 1})


def test_a_browsers_form_needs_its_token_and_is_sent_to_the_page(
    stack: Stack, make_user: MakeUser, make_competition: MakeCompetition
) -> None:
    competition, who = make_competition(), make_user(password="Pass123!")
    browser = Browser(stack)
    browser.log_in(who.username, "Pass123!")

    page = browser.get(f"/vote/{competition.id}")
    forged = browser.post(f"/vote/{competition.id}", {"vote": "a"})
    foreign = browser.post(
        f"/vote/{competition.id}", {"vote": "a", "csrf_token": csrf_token(page)}, {"Sec-Fetch-Site": "cross-site"}
    )
    own = browser.post(f"/vote/{competition.id}", {"vote": "a", "csrf_token": csrf_token(page)})

    assert (forged.status, foreign.status) == (403, 403)
    assert forged.headers["Content-Type"].startswith("text/html")
    assert (own.status, own.headers["Location"]) == (303, f"/vote/{competition.id}")
    wait_until(lambda: stack.results(competition.id)["total"] == 1)


def test_a_browser_that_is_not_logged_in_keeps_its_choice(stack: Stack, make_competition: MakeCompetition) -> None:
    competition = make_competition()

    told = Browser(stack).post(f"/vote/{competition.id}", {"vote": "b"}, {"Origin": stack.url})

    assert told.status == 303
    assert told.headers["Location"] == f"/login?next={quote(f'/vote/{competition.id}?choice=b', safe='')}"


def test_a_log_out_counts_on_every_process_within_a_second(
    stack: Stack, make_user: MakeUser, make_competition: MakeCompetition
) -> None:
    competition, who = make_competition(), make_user()
    token = create_jwt_token(who.id, secret=JWT_SECRET)
    for _ in stack.web_processes_alone():  # one that starts only now would know of the log-out from its beginning
        assert stack.vote(competition.id, "a", token).status in (200, 202)

    assert stack.post("/logout", token=token).status == 204

    asked = []
    for process in stack.web_processes_alone():
        wait_until(
            lambda: stack.vote(competition.id, "a", token).status == 401, within=5
        )  # a second is promised: test_logins.py
        asked.append(process)
    assert len(asked) == 2


def test_a_request_line_joins_the_journal_and_names_neither_voter_nor_choice(
    stack: Stack, owner: Database, make_user: MakeUser, make_competition: MakeCompetition, token_of: TokenOf
) -> None:
    competition, token = make_competition(), token_of(make_user())

    told = stack.vote(competition.id, "a", token)

    [(ballot_id, shard, position)] = wait_until(lambda: journal(owner, competition))
    assert ballot_id == told.headers["X-Request-ID"]
    [line] = [line for line in stack.lines() if line.get("request_id") == ballot_id]
    assert (line["shard"], line["position"], line["status"]) == (shard, position, 202)
    assert token not in str(line)
    assert "choice" not in line

    def has_it(batch: dict[str, Any]) -> bool:
        return batch["ballots"] > 0 and batch["shard"] == shard and batch["after"] < position <= batch["last"]

    wait_until(lambda: any(has_it(one) for one in stack.lines("worker") if one.get("event") == "batch"))


def test_metrics_are_summed_over_all_processes(
    stack: Stack, make_user: MakeUser, make_competition: MakeCompetition, token_of: TokenOf
) -> None:
    def figures() -> Counter[str]:
        lines = stack.get("/metrics").body.decode().splitlines()
        return Counter(
            {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}
        )

    def are_all_recorded() -> bool:
        now = figures()
        return now["vote_pending_ballots"] == 0 and now["vote_recorded_total"] == now["vote_accepted_total"]

    wait_until(are_all_recorded, what="what other tests have cast is recorded")
    before, competition = figures(), make_competition()
    for _ in range(20):
        assert stack.vote(competition.id, "a", token_of(make_user())).status == 202

    accepted, answered = "vote_accepted_total", 'vote_requests_total{method="POST",route="/vote",status="202"}'
    after = figures()
    assert (after[accepted] - before[accepted], after[answered] - before[answered]) == (20, 20)
    wait_until(are_all_recorded)
    assert figures()["vote_lag_seconds"] == 0


def test_the_parts_run_under_their_own_roles(
    stack: Stack, owner: Database, make_user: MakeUser, make_competition: MakeCompetition, token_of: TokenOf
) -> None:
    competition = make_competition()
    stack.vote(competition.id, "a", token_of(make_user()))

    for part in ("web", "worker"):
        with owner.read() as tx:
            tx.execute(f"SET ROLE vote_{part}")
            with pytest.raises(Exception, match="permission denied"):
                tx.execute("DELETE FROM ballots")
            with pytest.raises(Exception, match="permission denied"):
                tx.execute("UPDATE audit_log SET actor = 'nobody'")
            tx.execute("RESET ROLE")
    with owner.read() as tx:
        assert users.find(tx, 10**9) is None
