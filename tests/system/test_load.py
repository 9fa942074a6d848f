"""`vote load` against the running system: small loads, and what it must notice."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.conftest import JWT_SECRET
from tests.servers import Pair
from tests.stack import Stack
from vote.auth import create_jwt_token
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.ops.cli import cli
from vote.ops.load import run, target
from vote.ops.load.measurements import Measured
from vote.ops.load.plan import Plan
from vote.ops.load.run import send_votes
from vote.ops.load.target import vote_request

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]

SMALL = ("--votes", "120", "--rate", "200", "--users", "40", "--connections", "12")
NEVER_SLOW = ("--max-p99-ms", "60000", "--max-median-ms", "60000", "--max-database-ms", "60000")
STALL_S = 0.5


def load(stack: Stack, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of `vote load --json` on this machine."""
    command = ["load", "--json", *NEVER_SLOW, *arguments]
    done = CliRunner(env={**stack.environment, **environment}).invoke(cli, command, catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout)


def people_left(owner: Database) -> list[str]:
    with owner.read() as tx:
        return [row[0] for row in tx.execute("SELECT username FROM users WHERE username LIKE 'load-%'")]


def send_and_be_interrupted(*arguments: Any) -> Measured:
    send_votes(*arguments)
    raise KeyboardInterrupt


def test_a_load_votes_counts_and_takes_everything_away(
    stack: Stack, owner: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, answer = load(stack, *SMALL, "--report", str(tmp_path / "report.html"))
    monkeypatch.setattr(run, "send_votes", send_and_be_interrupted)
    broken_off = CliRunner(env=stack.environment).invoke(cli, ["load", *SMALL])

    assert code == 0, answer
    assert answer["statuses"] == {"202": 120}
    assert (answer["settled"], answer["lost"], answer["duplicate"], answer["phantom"]) == (True, [], [], [])
    assert answer["latency_ms"]["count"] == 120
    assert answer["database_ms"]["count"] > 0
    assert answer["database_for_web_ms"]["count"] > 0
    assert "the database for the web, p99 at most" in [row["what"] for row in answer["limits"]]
    assert "Load test passed: 120 votes accepted" in (tmp_path / "report.html").read_text("utf-8")
    assert len(answer["plan"]["competitions"]) == 3
    assert [stack.get(f"/api/competitions/{one}").status for one in answer["plan"]["competitions"]] == [404] * 3
    assert people_left(owner) == []
    assert (broken_off.exit_code, broken_off.stdout) == (1, "")
    with owner.read() as tx:
        assert tx.execute("SELECT status, count(*) FROM competitions GROUP BY status").fetchall() == [("archived", 6)]


def test_users_may_register_themselves_and_nobody_elses_result_is_falsified(
    stack: Stack,
    owner: Database,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    token, competition = tmp_path / "token", make_competition()
    token.write_text(create_jwt_token(make_user(role="organiser").id, secret=JWT_SECRET) + "\n")
    elsewhere = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "JWT_SECRET", "FLASK_SECRET_KEY"), "")
    few = ("--rate", "20", "--connections", "2", "--url", stack.url)
    there = ("--competition", str(competition.id), "--votes", "5", *few)

    code, answer = load(
        stack, "--register", "--users", "3", "--votes", "6", *few, "--token-file", str(token), **elsewhere
    )
    code_there, answer_there = load(stack, *there)
    again = CliRunner(env=stack.environment).invoke(cli, ["load", *there])

    assert code == code_there == 0, (answer, answer_there)
    assert (answer["accepted"], answer["database_ms"]) == (6, None)
    assert stack.results(competition.id)["total"] == answer_there["accepted"] == 5
    assert again.exit_code == 1
    assert "would falsify its result" in str(again.exception)
    assert people_left(owner) == []


def test_a_tally_that_lost_a_vote_is_seen(stack: Stack, owner: Database) -> None:
    with owner.transaction(by="tests") as tx:
        tx.execute(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN NEW.votes := greatest(NEW.votes - 1, 0); RETURN NEW; END$$"
        )
        tx.execute("CREATE TRIGGER lose BEFORE INSERT ON tallies FOR EACH ROW EXECUTE FUNCTION lose()")

    code, answer = load(stack, *SMALL)

    assert code == 1
    assert answer["accepted"] == 120
    assert answer["settled"]
    assert any("the tally shows" in sentence and "were acknowledged" in sentence for sentence in answer["lost"])


def test_a_stall_costs_every_vote_that_was_due_meanwhile(
    stack: Stack, servers: Pair, make_competition: MakeCompetition, make_user: MakeUser
) -> None:
    """Over two connections only two votes are under way when the log is frozen. Measured from their sending the others would
    never have waited.
    """
    wanted, aim = Plan(votes=200, rate=200, users=200, connections=2), target.parse(stack.url)
    tokens = [create_jwt_token(make_user().id, secret=JWT_SECRET) for _ in range(wanted.users)]
    competition = make_competition().id
    frozen_at: list[float] = []

    def freeze_for_a_while(measured: Measured) -> None:
        if measured.answered and not frozen_at:
            servers.freeze_log()
            frozen_at.append(time.monotonic())
        elif frozen_at and time.monotonic() >= frozen_at[0] + STALL_S:
            servers.thaw_log()

    try:
        measured = send_votes(
            wanted, aim, lambda vote: vote_request(aim, competition, tokens[vote], "a"), freeze_for_a_while
        )
    finally:
        servers.thaw_log()

    waited = sum(count for top_ms, count in measured.latency.buckets_ms() if top_ms >= 1000 * STALL_S / 2)
    assert measured.answered == 200
    assert waited >= 200 * STALL_S / 4, (
        "of 100 votes due in half a second, the earlier half waits for longer than a quarter"
    )
    assert measured.latency.percentile_ms(0.99) >= 1000 * STALL_S / 2
