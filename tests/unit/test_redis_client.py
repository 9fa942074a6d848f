"""Every connection to a store is one that a peer without a word does not keep for ever."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "vote"
MAKES_ONE = re.compile(r"ConnectionPool\(|\bTx\.connect\(|psycopg\.connect\(|create_engine\(|conninfo_to_dict\(url\)")
MAKES_ONE_TO_REDIS = re.compile(r"Redis\.from_url\(|\bSentinel\(")
# Servers that are our own children, on a unix socket that only this machine has; and what connects to nothing.
ON_THIS_MACHINE = {
    "ops/backup/installed.py",
    "ops/backup/recovery_server.py",
    "ops/embedded/postgres.py",
    "tcp_keepalive.py",
    "transport_security.py",
}


def makers(pattern: re.Pattern[str]) -> list[str]:
    paths = [path for path in ROOT.rglob("*.py") if pattern.search(path.read_text("utf-8"))]
    return sorted(str(path.relative_to(ROOT)) for path in paths)


@pytest.mark.parametrize("path", [path for path in makers(MAKES_ONE) if path not in ON_THIS_MACHINE])
def test_connections_to_postgresql_are_probed_by_the_kernel(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")
    assert "keepalive.for_postgres(" in text or "connection_options(" in text  # which has them (`db/pool.py`)


def test_the_list_of_exceptions_is_no_longer_than_it_must_be() -> None:
    assert set(makers(MAKES_ONE)) >= ON_THIS_MACHINE


def test_clients_of_the_log_and_the_cache_are_made_in_one_place() -> None:
    assert makers(MAKES_ONE_TO_REDIS) == ["redis_client.py"]
