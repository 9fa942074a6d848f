"""Fixtures of conftest.py that last for a whole file: one running system for tests that do not hurt each other.

A file imports them, and its tests, people and competitions then share a database, a log and the processes on them. A test
that stops a part, empties the log or counts all rows of a table wants one of its own.
"""

from collections.abc import Iterator

import pytest

from tests.conftest import copy_of, emptied_log, environment_of
from tests.servers import Pair
from tests.stack import Stack, running


@pytest.fixture(scope="module")
def database_url(servers: Pair, template: str) -> Iterator[str]:
    """The owner's URL of a fresh database."""
    with copy_of(servers, template) as url:
        yield url


@pytest.fixture(scope="module")
def redis_url(servers: Pair) -> str:
    """The log's URL, with nothing in it when the file begins."""
    return emptied_log(servers)


@pytest.fixture(scope="module")
def environment(database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of all tests of the file."""
    return environment_of(database_url, redis_url, tmp_path_factory.mktemp("wide"))


@pytest.fixture(scope="module")
def stack(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running system, started once."""
    with running(environment, tmp_path_factory.mktemp("stack")) as one:
        yield one
