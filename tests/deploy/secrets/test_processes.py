"""`vote web` and `vote worker` with all secrets in Vault: they start, end with a reason, go on without it, see changes."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.deploy.secrets.openbao import WRITE, OpenBao
from tests.live_logins import LiveLogins, refused_fresh_logins, roll
from tests.stack import VOTE, Stack, running, wait_until
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.ops.key_rotation import KEYS

SECRET_NAMES = ("FLASK_SECRET_KEY", "JWT_SECRET", "DATABASE_URL", "REDIS_URL")
PEOPLE = 20
REFRESH_S = 10  # the shortest
NEW_KEY = "kT3vR9wQ6yB1nM4cX7zL0pJ5hG2dF8sA"
PASSWORD = "Pass123!"
ENDS_WITHIN_S = 30.0  # 10 s for the manager, the rest for Python

MakeUser = Callable[..., Account]


@pytest.fixture
def environ(bao: OpenBao, environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """What the processes see: a login to Vault, its secret half in a file, and no secret of ours."""
    bao.put({name: environment[name] for name in SECRET_NAMES})
    client = bao.client()
    login = tmp_path / "login"
    login.write_text(client.pop("VAULT_SECRET_ID"))
    rest = {name: value for name, value in environment.items() if name not in SECRET_NAMES}
    how = {"VAULT_SECRET_ID_FILE": str(login), "SECRETS_REFRESH_S": str(REFRESH_S), "LIMIT_API_PER_S": "100000"}
    return {**rest, **client, **how, "WEB_CONCURRENCY": "1"}


@pytest.fixture
def stack(environ: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    with running(environ, tmp_path / "stack") as one:
        yield one


def lines(stack: Stack, event: str) -> list[dict[str, Any]]:
    return [line for line in stack.lines() if line.get("event") == event]


def known_to_everybody(pid: int) -> str:
    """What other programs may see of a process and its children: their command lines, and their environments."""
    found = ""
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        for name in ("cmdline", "environ"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += Path(f"/proc/{process.pid}/{name}").read_text("utf-8", "replace")
    return found


def test_a_vote_goes_its_way_and_the_secrets_are_nowhere_to_be_seen(
    stack: Stack,
    environment: dict[str, str],
    environ: dict[str, str],
    make_user: MakeUser,
    make_competition: Callable[..., Competition],
    token_of: Callable[[Account], str],
) -> None:
    competition = make_competition().id
    assert stack.vote(competition, "a", token_of(make_user())).status == 202
    wait_until(lambda: stack.results(competition)["options"]["a"] == 1)

    shown = [known_to_everybody(pid) for pid in (stack.web_pid, *stack.worker_pids)]
    shown += [path.read_text("utf-8") for path in stack.logs]
    hidden = [environment[name] for name in SECRET_NAMES] + [Path(environ["VAULT_SECRET_ID_FILE"]).read_text()]
    assert not [text for text in hidden if any(text in one for one in shown)]
    assert environ["VAULT_ADDR"] in shown[0], "this looks where it means to"


@pytest.mark.parametrize("part", ["web", "worker"])
@pytest.mark.parametrize("away", [OpenBao.kill, OpenBao.seal], ids=["killed", "sealed"])
def test_a_start_without_vault_ends_with_the_reason(
    bao: OpenBao, environ: dict[str, str], part: str, away: Callable[[OpenBao], None]
) -> None:
    away(bao)

    done = subprocess.run(
        [*VOTE, part], env=environ, capture_output=True, text=True, timeout=ENDS_WITHIN_S, check=False
    )

    assert done.returncode == 1
    reason = "does not answer" if away is OpenBao.kill else "is not available: Vault is sealed"
    assert done.stderr.startswith(f"vote: Vault at {bao.address} {reason}")
    assert len(done.stderr.splitlines()) == 1


def test_a_web_process_that_is_killed_while_vault_is_away_is_replaced(stack: Stack, bao: OpenBao) -> None:
    (before,) = psutil.Process(stack.web_pid).children()
    bao.kill()

    os.kill(before.pid, signal.SIGKILL)

    def is_replaced() -> bool:
        children = psutil.Process(stack.web_pid).children()
        with contextlib.suppress(OSError):
            return [child.pid for child in children] != [before.pid] and stack.get("/ready").status == 200
        return False

    wait_until(is_replaced, what="another process serves")
    assert lines(stack, "new secrets not taken, earlier ones kept")


def test_a_change_is_noticed_and_a_reload_uses_it(
    stack: Stack, bao: OpenBao, settings: Settings, make_user: MakeUser
) -> None:
    person = make_user(password=PASSWORD)

    def metric() -> str:
        body = stack.get("/metrics").body.decode()
        return next(line for line in body.splitlines() if line.startswith("vote_secrets_outdated"))

    bao.put({**bao.stored(), "JWT_SECRET": NEW_KEY, "JWT_SECRET_PREVIOUS": settings.jwt_secret})
    wait_until(lambda: lines(stack, "restart to use new secrets"), what="the change is noticed")
    (line,) = lines(stack, "restart to use new secrets")
    assert line["names"] == ["JWT_SECRET_PREVIOUS", "JWT_SECRET"] or sorted(line["names"]) == [
        "JWT_SECRET",
        "JWT_SECRET_PREVIOUS",
    ]
    assert metric() == "vote_secrets_outdated 2.0"
    assert NEW_KEY not in json.dumps(stack.lines())

    before = psutil.Process(stack.web_pid).children()
    os.kill(stack.web_pid, signal.SIGHUP)
    wait_until(lambda: not {*before} & {*psutil.Process(stack.web_pid).children()}, what="the processes are new")
    stack.wait_ready()
    assert LiveLogins(settings.model_copy(update={"jwt_secret": NEW_KEY}), [person]).logged_out([stack]) == []


def test_rotating_in_vault_logs_nobody_out(
    bao: OpenBao,
    environ: dict[str, str],
    settings: Settings,
    make_user: MakeUser,
    tmp_path: Path,
) -> None:
    """The same as with files, in `tests/system/test_secret_rotation.py`; with a login of its own for who rotates."""
    people = LiveLogins(settings, [make_user() for _ in range(PEOPLE)])
    somebody = make_user(password=PASSWORD)
    operator = {**environ, **bao.client(WRITE)}
    operator.pop("VAULT_SECRET_ID_FILE")

    def rotate(*words: str) -> dict[str, Any]:
        done = subprocess.run(
            [*VOTE, "secrets", "rotate", "--json", *words], env=operator, capture_output=True, text=True, check=True
        )
        assert not [value for value in bao.stored().values() if value in done.stdout + done.stderr]
        return dict(json.loads(done.stdout))

    with running(environ, tmp_path / "1") as first, running(environ, tmp_path / "2", workers=0) as second:
        stacks = [first, second]

        def check() -> list[str]:
            return people.logged_out(stacks) + refused_fresh_logins(stacks, somebody.username, PASSWORD)

        before = bao.stored()
        assert rotate()["stage"] == "accepting"
        assert roll(stacks, check) == []
        assert rotate("--restarted")["stage"] == "signing"
        assert roll(stacks, check) == []

    after = bao.stored()
    assert [after[f"{key}_PREVIOUS"] for key in KEYS] == [before[key] for key in KEYS]
    assert {name: after[name] for name in ("DATABASE_URL", "REDIS_URL")} == {
        name: before[name] for name in ("DATABASE_URL", "REDIS_URL")
    }
