"""A running process says, once and by name, that a restart would find other secrets or would fail."""

from collections.abc import Iterator

import pytest
import structlog

from tests.stack import wait_until
from tests.unit.test_config import GOOD
from vote import config
from vote.config import Settings
from vote.errors import ConfigError
from vote.metrics.process import SECRETS_OUTDATED
from vote.secret_watch import SecretWatch

CHANGED = {**GOOD, "JWT_SECRET": "4yV8nQeWz1hTtL6xKdR0sJmC3bUfPg7A", "REDIS_URL": "unix:///run/cache/redis.sock"}


class Found:
    """What a restart would find; changed by the test."""

    def __init__(self) -> None:
        self.environ: dict[str, str] | ConfigError = dict(GOOD)

    def __call__(self) -> Settings:
        if isinstance(self.environ, ConfigError):
            raise self.environ
        return config.load(self.environ)


@pytest.fixture
def lines() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def outdated() -> float:
    return float(SECRETS_OUTDATED._value.get())


def test_a_change_is_said_once_by_name_and_counted(lines: list[structlog.typing.EventDict]) -> None:
    found = Found()
    watch = SecretWatch(config.load(GOOD), found)
    assert watch.look() == []

    found.environ = CHANGED
    assert watch.look() == watch.look() == ["JWT_SECRET", "REDIS_URL"]

    (line,) = lines
    assert (line["log_level"], line["names"]) == ("warning", ["JWT_SECRET", "REDIS_URL"])
    assert not {*CHANGED.values()} & {str(value) for value in line.values()}
    assert outdated() == 2
    found.environ = GOOD
    assert watch.look() == []
    assert outdated() == 0
    assert len(lines) == 2


def test_other_settings_are_not_watched(lines: list[structlog.typing.EventDict]) -> None:
    found = Found()
    watch = SecretWatch(config.load(GOOD), found)

    found.environ = {**GOOD, "PORT": "8081"}

    assert watch.look() == []
    assert lines == []


def test_a_restart_that_would_fail_is_said_before_it_happens(lines: list[structlog.typing.EventDict]) -> None:
    found = Found()
    watch = SecretWatch(config.load(GOOD), found)

    found.environ = {**GOOD, "JWT_SECRET": "short"}
    watch.look()

    (line,) = lines
    assert (line["log_level"], line["event"]) == ("error", "a restart would fail")
    assert "JWT_SECRET: String should have at least 32" in line["reason"]
    assert "short" not in line["reason"].replace("shorter", "")


def test_it_looks_every_secrets_refresh_s_until_it_is_closed() -> None:
    found, looks = Found(), []
    settings = config.load(GOOD).model_copy(update={"secrets_refresh_s": 0.01})

    def load() -> Settings:
        looks.append(1)
        return found()

    watch = SecretWatch(settings, load)
    watch.start()
    wait_until(lambda: len(looks) >= 3)
    watch.close()
    wait_until(lambda: not watch._thread.is_alive())
