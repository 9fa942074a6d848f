"""`vote secrets rotate` on mounted files, between two web processes: nobody of 200 people is logged out, at any moment."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
import pytest

from tests.live_logins import LiveLogins, refused_fresh_logins, roll
from tests.stack import VOTE, Stack, running
from tests.system.up import Start, start, vote
from vote import config
from vote.auth import AUDIENCE
from vote.config import Settings
from vote.db.users import Account
from vote.production_rules import SECRETS

pytestmark = pytest.mark.slow
__all__ = ["start"]  # the fixture

PEOPLE = 200
PASSWORD = "Pass123!"
WITHOUT_LIMITS = {"LIMIT_API_PER_S": "100000", "LIMIT_LOGINS_PER_MINUTE": "100000"}
FROM_FILES = ("FLASK_SECRET_KEY", "JWT_SECRET", "DATABASE_URL", "REDIS_URL")


class Rotation:
    """Two web processes that read files of one folder, and the people who are logged in there."""

    def __init__(self, environ: dict[str, str], folder: Path, stacks: list[Stack]) -> None:
        self.environ, self.folder, self.stacks = environ, folder, stacks

    def run(self, *words: str) -> dict[str, object]:
        """`vote secrets rotate` as an operator runs it. It prints no secret."""
        command = [*VOTE, "secrets", "rotate", "--folder", str(self.folder), "--json", *words]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=True)
        held = [text for file in self.folder.iterdir() if (text := file.read_text().strip())]
        assert not [text for text in held if text in done.stdout + done.stderr]
        return dict(json.loads(done.stdout))


@pytest.fixture
def secrets_folder(environment: dict[str, str], tmp_path: Path) -> Path:
    """A file for each secret of the test's environment, as Compose mounts them."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    for name in (*FROM_FILES, "FLASK_SECRET_KEY_PREVIOUS", "JWT_SECRET_PREVIOUS"):
        (folder / name).write_text(environment.get(name, ""))
    return folder


@pytest.fixture
def rotation(environment: dict[str, str], secrets_folder: Path, tmp_path: Path) -> Iterator[Rotation]:
    mounted = {f"{name}_FILE": str(secrets_folder / name) for name in SECRETS if (secrets_folder / name).exists()}
    environ = {name: value for name, value in environment.items() if name not in FROM_FILES}
    environ |= {**mounted, **WITHOUT_LIMITS, "WEB_CONCURRENCY": "1"}
    with running(environ, tmp_path / "first") as first, running(environ, tmp_path / "second", workers=0) as second:
        yield Rotation(environ, secrets_folder, [first, second])


MakeUser = Callable[..., Account]


def test_rotating_in_two_steps_logs_nobody_out(rotation: Rotation, settings: Settings, make_user: MakeUser) -> None:
    people = LiveLogins(settings, [make_user() for _ in range(PEOPLE)])
    somebody = make_user(password=PASSWORD)
    assert len(people) == 2 * PEOPLE

    def check() -> list[str]:
        return people.logged_out(rotation.stacks) + refused_fresh_logins(rotation.stacks, somebody.username, PASSWORD)

    assert rotation.run()["stage"] == "accepting"
    assert roll(rotation.stacks, check) == []
    assert rotation.run("--restarted")["stage"] == "signing"
    assert roll(rotation.stacks, check) == []

    now = config.load(rotation.environ)
    assert now.jwt_secret != settings.jwt_secret
    assert now.jwt_secret_previous == settings.jwt_secret, "a day later nothing needs it any more"
    assert rotation.run()["changed"] is False


def test_replacing_the_keys_at_once_is_seen_by_the_same_check(
    rotation: Rotation, settings: Settings, make_user: MakeUser
) -> None:
    """What ADR 21 calls naive: the control of the test above, and what a stolen key needs."""
    people = LiveLogins(settings, [make_user() for _ in range(10)])

    rotation.run("--at-once")
    found = roll(rotation.stacks, lambda: people.logged_out(rotation.stacks))

    assert len(found) == (1 + 2) * len(people), "at the first process, then at both"


def test_skipping_the_first_restart_is_seen_by_the_same_check(rotation: Rotation, make_user: MakeUser) -> None:
    """Both steps at once: a process that has restarted signs with a key that the other one refuses."""
    somebody = make_user(password=PASSWORD)

    rotation.run()
    rotation.run("--restarted")
    found = roll(rotation.stacks, lambda: refused_fresh_logins(rotation.stacks, somebody.username, PASSWORD))

    first, second = (stack.port for stack in rotation.stacks)
    assert found == [f"{kind} of {first} at {second}: 401" for kind in ("token", "session")]


def test_rotating_under_vote_up_logs_nobody_out(start: Start, tmp_path: Path) -> None:
    """`make run` keeps its keys in VOTE_HOME/secrets; a restart of everything takes each step."""
    up = start(tmp_path / "home")
    up.wait_ready()
    token = up.log_in()

    for step in (["rotate"], ["rotate", "--restarted"]):
        assert vote(up, "secrets", *step, "--folder", str(up.home / "secrets")).returncode == 0
        assert up.end() == 0
        up = start(up.home)
        up.wait_ready()
        assert up.wait_for_vote("a", token).json["competition"] == 1

    kept = {name: (up.home / "secrets" / name).read_text().strip() for name in ("JWT_SECRET", "JWT_SECRET_PREVIOUS")}
    assert jwt.decode(up.log_in(), kept["JWT_SECRET"], ["HS256"], audience=AUDIENCE)
    assert jwt.decode(token, kept["JWT_SECRET_PREVIOUS"], ["HS256"], audience=AUDIENCE)
