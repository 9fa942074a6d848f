"""A process that serves nothing else says whether its loop turns."""

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vote import health_server
from vote.errors import ConfigError
from vote.health_server import HealthServer

CHECK = Path(__file__).parents[2] / "deploy" / "image" / "health.py"


@pytest.fixture
def port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        number: int = taken.getsockname()[1]
        return number


@pytest.fixture
def health(port: int) -> Iterator[HealthServer]:
    server = HealthServer("127.0.0.1", port)
    yield server
    server.close()


def ask(port: int, path: str = "/health") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def check(web: int, other: int) -> int:
    """The exit code of the image's health check."""
    ports = {"PORT": str(web), "METRICS_PORT": str(other)}
    return subprocess.run([sys.executable, CHECK], env={**os.environ, **ports}, check=False).returncode


def test_it_is_well_while_the_loop_turns(health: HealthServer, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (ask(port), ask(port, "/anything"), check(1, port)) == (200, 404, 0)

    monkeypatch.setattr(health_server, "TURN_WITHIN_S", -1.0)
    assert (ask(port), check(1, port)) == (503, 1)

    monkeypatch.setattr(health_server, "TURN_WITHIN_S", 30.0)
    health.turned()
    assert (ask(port), check(port, 1)) == (200, 0)


def test_nobody_who_listens_is_not_well(port: int) -> None:
    assert check(port, port) == 1


def test_a_port_that_is_taken_is_said(health: HealthServer, port: int) -> None:
    with pytest.raises(ConfigError, match="METRICS_PORT"):
        HealthServer("127.0.0.1", port)


def test_without_a_port_it_listens_nowhere() -> None:
    silent = HealthServer("127.0.0.1", None)
    silent.turned()
    assert silent.is_healthy()
    silent.close()
