"""A web that is told to stop answers everyone who has connected before."""

import contextlib
import os
import signal
import socket
from pathlib import Path

import psutil
import pytest

from tests.stack import Stack, running, wait_until

pytestmark = pytest.mark.system

CONNECTED = 20
REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def is_closed(stack: Stack) -> bool:
    """Whether nobody accepts new connections any more."""
    try:
        socket.create_connection(("127.0.0.1", stack.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def answer(connection: socket.socket) -> bytes:
    """All that comes back for one request, until the server closes."""
    connection.sendall(REQUEST)
    data = b""
    while piece := connection.recv(65_536):
        data += piece
    return data


def test_who_has_connected_is_answered(environment: dict[str, str], tmp_path: Path) -> None:
    with running(environment, tmp_path / "stack") as stack, contextlib.ExitStack() as open_ones:
        connections = [
            open_ones.enter_context(socket.create_connection(("127.0.0.1", stack.port), timeout=10))
            for _ in range(CONNECTED)
        ]

        os.kill(stack.web_pid, signal.SIGTERM)
        wait_until(lambda: is_closed(stack), what="no new connection is accepted")
        answers = [answer(connection) for connection in connections]

        assert {one.split(b"\r\n")[0] for one in answers} == {b"HTTP/1.1 200 OK"}
        assert all(b"connection: close" in one.lower() for one in answers), "a proxy must not send another request here"


def test_the_queue_has_one_place_once_the_port_is_about_to_close(environment: dict[str, str], tmp_path: Path) -> None:
    """Whoever waits in it when the port closes is reset. One place can be taken by ourselves (test_closing_port.py)."""
    with running(environment, tmp_path / "stack") as stack:
        processes = [one for one in psutil.Process(stack.web_pid).children() if _listens(one.pid)]
        for process in processes:
            process.suspend()  # they accept no more, and the port stays open

        os.kill(stack.web_pid, signal.SIGTERM)
        wait_until(lambda: not _listens(stack.web_pid), what="the master has closed the port")

        with socket.create_connection(("127.0.0.1", stack.port), timeout=5), pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", stack.port), timeout=0.5)  # the one place is taken
        for process in processes:
            process.resume()
        wait_until(lambda: is_closed(stack), what="the port is closed")


def _listens(pid: int) -> bool:
    return any(one.status == psutil.CONN_LISTEN for one in psutil.Process(pid).net_connections("tcp"))
