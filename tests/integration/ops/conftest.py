"""An own room for servers: these tests start, kill and leave behind servers that no other test uses."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from vote.ops.account import server_account
from vote.ops.embedded import programs
from vote.ops.embedded.home import ServerRoom, make_room, prepare
from vote.ops.embedded.postgres import Postgres
from vote.ops.embedded.programs import ServerSource
from vote.ops.embedded.stale_servers import end_servers_in
from vote.ops.embedded.valkey import Valkey


@pytest.fixture
def room(tmp_path: Path) -> Iterator[ServerRoom]:
    """A room whose servers are ended afterwards, whoever started them."""
    made = make_room(prepare(tmp_path / "home"), server_account())
    yield made
    for data in made.data.iterdir():
        end_servers_in(data)
    shutil.rmtree(made.data)
    shutil.rmtree(made.sockets, ignore_errors=True)


@pytest.fixture
def postgres(room: ServerRoom, server_source: ServerSource) -> Postgres:
    """A PostgreSQL to be started."""
    return Postgres(room, programs.find(server_source, room.account), durable=False)


@pytest.fixture
def valkey(room: ServerRoom, server_source: ServerSource) -> Valkey:
    """A Valkey to be started."""
    return Valkey(room, programs.find(server_source, room.account))
