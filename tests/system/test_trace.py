"""One id leads from the proxy to the row: through the web's line, the log's entry, the worker's batch, the journal."""

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.stack import VOTE, Answer, Stack, running, wait_until
from vote.ballotlog.log import BallotLog
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]
TokenOf = Callable[[Account], str]
NOWHERE = "postgresql://127.0.0.1:1/vote"


@pytest.fixture
def behind_proxy(environment: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    """The running system, which takes this machine for its proxy."""
    with running({**environment, "TRUSTED_PROXIES": "127.0.0.1/32"}, tmp_path / "stack") as one:
        yield one


def trace(stack: Stack, request_id: str, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`vote trace` over all lines of the stack."""
    command = [*VOTE, "trace", *words, request_id, *map(str, stack.logs)]
    return subprocess.run(command, env=stack.environment | settings, capture_output=True, text=True, check=False)


def cast(stack: Stack, one: Competition, token: str, request_id: str, choice: str = "a") -> Answer:
    return stack.vote(one.id, choice, token, headers={"X-Request-Id": request_id})


def recorded(owner: Database, one: Competition) -> list[Mapping[str, Any]]:
    """The rows of the journal."""
    with owner.read() as tx:
        rows = tx.fetch_rows(
            "SELECT id, shard, epoch, position, seq FROM ballots WHERE competition_id = %s ORDER BY seq", (one.id,)
        )
    return [row._asdict() for row in rows]


def test_a_ballot_is_followed_from_the_proxy_to_its_row(
    behind_proxy: Stack,
    owner: Database,
    log: BallotLog,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    token_of: TokenOf,
) -> None:
    stack, one, voter, request_id = behind_proxy, make_competition(), make_user(), secrets.token_hex(16)

    told = cast(stack, one, token_of(voter), request_id)

    assert told.status == 202
    assert told.headers["X-Request-Id"] == request_id
    [row] = wait_until(lambda: recorded(owner, one))
    assert row["id"].hex.startswith(request_id[:16])
    [line] = [line for line in stack.lines() if line.get("request_id") == request_id]
    place = (row["shard"], row["epoch"], row["position"])
    assert (line["shard"], line["epoch"], line["position"]) == place
    entry = log.entry_at(row["shard"], row["position"])
    assert entry is not None
    assert entry.id == row["id"].hex, "the same 32 digits as ever: the log has not grown by this"

    wait_until(lambda: any(line.get("event") == "batch" for line in stack.lines("worker")))
    for known in (request_id, row["id"].hex, str(row["id"])):
        shown = trace(stack, known)
        assert shown.returncode == 0, shown.stderr
        web, in_log, batch, journal = shown.stdout.splitlines()
        assert f"web       POST /vote/{one.id}: 202 in " in web
        assert f"accepted in competition {one.id}" in web
        assert f"log       shard {place[0]}, position {place[2]}, epoch {place[1]}: the entry is there" in in_log
        assert "worker    batch " in batch
        assert f"database  row {row['seq']} of the journal, competition {one.id}, ballot {row['id'].hex}" in journal
        assert str(voter.id) not in shown.stdout
        assert "choice" not in shown.stdout

    found = json.loads(trace(stack, request_id, "--json").stdout)
    [ballot] = found["ballots"]
    assert (ballot["status"], ballot["entry"], ballot["batch"]["event"]) == ("recorded", "there", "batch")
    assert ballot["batch"]["after"] < row["position"] <= ballot["batch"]["last"]


def test_an_id_that_a_proxy_uses_twice_costs_nobody_a_vote(
    behind_proxy: Stack, owner: Database, make_user: MakeUser, make_competition: MakeCompetition, token_of: TokenOf
) -> None:
    """R4: the journal takes a second ballot with the same id for the same ballot. So no ballot's id is a proxy's alone."""
    stack, one, request_id = behind_proxy, make_competition(), secrets.token_hex(16)

    answers = [cast(stack, one, token_of(make_user()), request_id) for _ in range(3)]

    assert [answer.status for answer in answers] == [202] * 3
    wait_until(lambda: stack.results(one.id)["total"] == 3, what="everybody is counted")
    assert len({row["id"] for row in recorded(owner, one)}) == 3
    assert len(json.loads(trace(stack, request_id, "--json").stdout)["ballots"]) == 3


def test_a_stranger_names_no_request(
    stack: Stack, owner: Database, make_user: MakeUser, make_competition: MakeCompetition, token_of: TokenOf
) -> None:
    one, made_up = make_competition(), secrets.token_hex(16)

    told = cast(stack, one, token_of(make_user()), made_up)

    assert told.headers["X-Request-Id"] != made_up
    [row] = wait_until(lambda: recorded(owner, one))
    assert row["id"].hex == told.headers["X-Request-Id"]
    unknown = trace(stack, made_up)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "Nothing is known of" in unknown.stderr


def test_a_ballot_without_a_row_is_found_in_the_log_or_in_a_gap(
    behind_proxy: Stack,
    log: BallotLog,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    token_of: TokenOf,
) -> None:
    stack, one, waiting = behind_proxy, make_competition(), secrets.token_hex(16)
    stack.stop_worker()
    token = token_of(make_user())
    assert cast(stack, one, token, waiting).status == 202

    assert "no row: it waits for a worker" in trace(stack, waiting).stdout
    assert "database  does not answer" in trace(stack, waiting, DATABASE_URL=NOWHERE).stdout
    again = secrets.token_hex(16)
    assert cast(stack, one, token, again).status == 200
    shown = trace(stack, again).stdout
    assert f"again in competition {one.id}" in shown
    assert shown.endswith("This request appended no ballot.\n")

    log._call("FLUSHALL")
    stack.start_worker()
    wait_until(lambda: "no row: it lies in gap " in trace(stack, waiting).stdout, what="the loss is noticed")
    assert ": the entry is not there, or no longer" in trace(stack, waiting).stdout


def test_what_is_no_id_is_refused(stack: Stack) -> None:
    refused = trace(stack, "mine")

    assert refused.returncode == 2
    assert "32 hexadecimal digits" in refused.stderr
