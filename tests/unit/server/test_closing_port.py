"""A port that is about to be closed: nobody new gets in, and who is in stays."""

import socket
from collections.abc import Iterator

import pytest

from vote.server.closing_port import drop_newcomers


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_newcomers_are_dropped_and_those_who_wait_are_served(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname(), timeout=5) as waiting:
        drop_newcomers(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(listener.getsockname(), timeout=0.3)
        accepted, _ = listener.accept()
        with accepted:
            waiting.sendall(b"ballot")
            assert accepted.recv(6) == b"ballot"


def test_where_the_kernel_cannot_nothing_changes() -> None:
    class Unable(socket.socket):
        def setsockopt(self, *_: object) -> None:
            raise OSError(92, "Protocol not available")

    with Unable() as listener:
        drop_newcomers(listener)
