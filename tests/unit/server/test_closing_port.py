"""A port that is about to be closed: nobody new gets in, and who is in is served."""

import socket
from collections.abc import Iterator

import pytest

from vote.server.closing_port import shorten_queue, take_place


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        listener.setblocking(False)
        yield listener


def test_who_waits_is_served_and_nobody_else_gets_in(listener: socket.socket) -> None:
    address = listener.getsockname()
    early = [socket.create_connection(address, timeout=5) for _ in range(5)]
    shorten_queue(listener)

    waiting, own = take_place(listener)

    assert own is not None
    with own, pytest.raises(TimeoutError):
        socket.create_connection(address, timeout=0.3)
    listener.close()
    for client, accepted in zip(early, waiting, strict=True):
        client.sendall(b"ballot")
        assert accepted.recv(6) == b"ballot"
        client.close()
        accepted.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


def test_where_others_go_on_serving_they_keep_their_queue(listener: socket.socket) -> None:
    _, own = take_place(listener)

    assert own is not None
    with own, socket.create_connection(listener.getsockname(), timeout=5):
        listener.accept()[0].close()
        listener.accept()[0].close()
