"""R3: a call that is stuck in a socket cannot land behind a later ballot, and nothing is sent a second time."""

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from vote.ballotlog import box as box_module
from vote.ballotlog import connection
from vote.ballotlog.box import BallotBox
from vote.ballotlog.log import BallotLog
from vote.errors import LogUnavailable


class SilentLog:
    """Stands for a log that takes commands and hangs up without an answer: what a real one cannot be told to do."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        self.commands: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            with peer:
                while data := peer.recv(65536):
                    if b"CLIENT" in data:
                        peer.sendall(b"+OK\r\n" * data.count(b"CLIENT"))
                    elif b"TIME" in data:
                        seconds = str(int(time.time())).encode()
                        peer.sendall(b"*2\r\n$%d\r\n%s\r\n$1\r\n0\r\n" % (len(seconds), seconds))
                    else:
                        self.commands.append(data)
                        break

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


@contextmanager
def silent_log() -> Iterator[SilentLog]:
    with closing(SilentLog()) as log:
        yield log


def test_a_press_is_sent_once_and_503_waits_for_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_module, "CALL_BUDGET_S", 0.5)

    async def press(url: str) -> float:
        box, began = BallotBox(url, 8), time.monotonic()
        with pytest.raises(LogUnavailable):
            await box.cast(competition=1, voter=7, choice="a", ballot_id=secrets.token_hex(16))
        waited = time.monotonic() - began
        await box.close()
        return waited

    with silent_log() as log:
        waited = asyncio.run(press(log.url))

        assert sum(b"vote_cast" in data for data in log.commands) == 1
        assert waited >= 0.5, "told before the stuck call could no longer land"


def test_a_waiting_client_sends_nothing_twice() -> None:
    with silent_log() as log, closing(BallotLog(log.url, 1)) as client:
        with pytest.raises(LogUnavailable):
            client.describe(0)

        assert len(log.commands) == 1


def test_a_dead_log_costs_one_short_timeout() -> None:
    with closing(BallotLog("redis://127.0.0.1:1/0", 1)) as client:
        began = time.monotonic()
        with pytest.raises(LogUnavailable):
            client.describe(0)

    assert time.monotonic() - began < 10 * connection.CONNECT_TIMEOUT_S
