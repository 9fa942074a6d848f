"""The limits at the door of the running system: two processes, whatever a client says of itself."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.browsing import Browser
from tests.stack import Answer, Stack, running
from vote.db.users import Account
from vote.domain.competition import Competition

BURST = 20
PROCESSES = 2
SENT = 90


@pytest.fixture
def stack(environment: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    """The system with limits that a test can reach."""
    low = {"LIMIT_VOTES_BURST": str(BURST), "LIMIT_VOTES_PER_S": "1", "LIMIT_API_PER_S": str(BURST)}
    with running(environment | low, tmp_path / "stack") as one:
        yield one


def at_once(send: Callable[[int], Answer]) -> tuple[Counter[int], float]:
    """The statuses of many requests, and how long they took."""
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        statuses = Counter(answer.status for answer in pool.map(send, range(SENT)))
    return statuses, time.monotonic() - began


def test_limits_at_the_door(
    stack: Stack,
    make_competition: Callable[..., Competition],
    make_user: Callable[..., Account],
    token_of: Callable[[Account], str],
) -> None:
    one, account = make_competition(allow_change=True), make_user(password="Pass123!")
    token = stack.post("/login", {"username": account.username, "password": "Pass123!"}).json["token"]

    # Forged posts count nowhere: a browser's without its form's token.
    browser = Browser(stack)
    browser.log_in(account.username, "Pass123!")
    forged, _ = at_once(lambda _n: browser.post(f"/vote/{one.id}", {"vote": "a"}))
    assert forged == {403: SENT}

    # Votes of one account: each of the two processes has a bucket for it.
    votes, took_s = at_once(lambda n: stack.vote(one.id, "ab"[n % 2], token))
    assert 429 in votes, votes
    refused = votes.pop(429)
    assert votes.keys() <= {200, 202}
    assert BURST <= votes.total() <= PROCESSES * (BURST + took_s + 1)
    assert refused == SENT - votes.total()
    told = next(answer for answer in (stack.vote(one.id, "a", token) for _ in range(SENT)) if answer.status == 429)
    assert (told.status, told.json["title"]) == (429, "Too many requests")
    assert {line["limited"] for line in stack.lines() if line.get("status") == 429} == {"votes"}
    assert told.headers["Retry-After"] == "1"
    assert stack.vote(one.id, "a", token_of(make_user())).status == 202, "another account at the same address votes"

    # The API, for a stranger who claims to be somebody else each time.
    dice = random.Random(1)
    names = ("X-Forwarded-For", "X-Real-IP", "Forwarded")

    def spoofed(_n: int) -> Answer:
        address = ".".join(str(dice.randrange(1, 255)) for _ in range(4))
        return stack.get("/api/competitions", headers={dice.choice(names): address})

    api, took_s = at_once(spoofed)
    assert BURST <= api[200] <= BURST * (1 + took_s) + 1
    assert api[429] == SENT - api[200]
    assert b'vote_limited_total{limit="api"}' in stack.get("/metrics").body
