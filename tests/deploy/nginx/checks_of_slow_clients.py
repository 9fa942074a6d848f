"""Clients that send or read as slowly as they like: each is cut off, and meanwhile nobody else waits."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Sequence

from tests.deploy.nginx.clients import ENDS
from tests.deploy.nginx.front import Front
from tests.deploy.nginx.recording_web import answer
from tests.stack import wait_until

PATIENCE_S = 15
SLACK_S = 4
EACH = 40  # clients of a kind
DRIP_S = 1.0
OTHERS_S = 5  # on a busy machine too


def slow_heads_are_cut_off(front: Front) -> None:
    """Half a head and then nothing, or a letter a second: 15 s for all of it."""
    head = front.client.request("GET", "/")[:-2]
    halves = [front.client.connect() for _ in range(EACH)]
    drips = [front.client.connect() for _ in range(EACH)]
    for one in (*halves, *drips):
        one.sendall(head)
    _all_are_cut_off(front, [*halves, *drips], drip=_dripping(drips))


def silent_connections_are_cut_off(front: Front) -> None:
    """Connected, and not a word: without TLS, or with it."""
    plain = [socket.create_connection(("127.0.0.1", front.client.port)) for _ in range(EACH)]
    _all_are_cut_off(front, [*plain, *(front.client.connect() for _ in range(EACH))])


def bodies_that_stop_are_cut_off(front: Front) -> None:
    """A ballot of which half has come: no web has heard of it."""
    halves = [front.client.connect() for _ in range(EACH)]
    for one in halves:
        one.sendall(front.client.request("POST", "/vote/1", {"Content-Length": "100"}, b"half"))
    _all_are_cut_off(front, halves)


def readers_that_stop_are_cut_off(front: Front) -> None:
    """An answer that is not read is thrown away, and the connection to the web has long been free."""
    for web in front.webs:
        web.answer = lambda _seen: answer(body=b"x" * 16_000_000)
    began = time.monotonic()
    with front.client.connect() as one:
        one.sendall(front.client.request("GET", "/large"))
        wait_until(front.site.lines, what="its line is written", within=PATIENCE_S + SLACK_S)
    assert time.monotonic() - began >= PATIENCE_S - 1
    assert front.site.lines()[0]["bytes"] < 16_000_000


def _dripping(connections: Sequence[ssl.SSLSocket]) -> Callable[[], None]:
    dripped = time.monotonic()

    def drip() -> None:
        nonlocal dripped
        if time.monotonic() - dripped > DRIP_S:
            dripped = time.monotonic()
            for one in connections:
                with contextlib.suppress(*ENDS):
                    one.sendall(b"x")

    return drip


def _all_are_cut_off(front: Front, slow: Sequence[socket.socket], drip: Callable[[], None] = lambda: None) -> None:
    began = time.monotonic()
    for one in slow:
        one.setblocking(False)
    left = list(slow)

    def all_are_gone() -> bool:
        drip()
        asked = time.monotonic()
        assert front.client.get("/health").status == 200
        assert time.monotonic() - asked < OTHERS_S, "somebody else waits"
        left[:] = [one for one in left if not _is_cut_off(one)]
        return not left

    try:
        wait_until(all_are_gone, what=f"{len(slow)} slow clients are cut off", within=PATIENCE_S + SLACK_S)
    finally:
        for one in slow:
            one.close()
    assert time.monotonic() - began >= PATIENCE_S - 1, "too little patience"
    assert {seen.path for seen in front.seen} == {"/health"}


def _is_cut_off(one: socket.socket) -> bool:
    try:
        while one.recv(65536):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except ENDS:
        return True
    return True
