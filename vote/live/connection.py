"""Serves an open socket: sends the hub's messages, notices a disconnect, and closes cleanly."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from vote.input_limits import SOCKET_MESSAGE_MAX_BYTES, SOCKET_MESSAGES_PER_S
from vote.live.admission import Viewer
from vote.live.hub import NOTHING, Hub, Watcher
from vote.live.messages import Kind, SnapshotMessage
from vote.metrics.web import SNAPSHOT_DELAY
from vote.server.raw_response import Message, Receive, Send

SEND_DEADLINE_S = 10.0  # a phone that takes longer for a few hundred bytes is better off with a new connection
GOODBYE_S = 0.5  # an end that must come at once (logout) does not wait for a stuck reader

POLICY, TOO_BIG, RESTARTING = 1008, 1009, 1012  # RFC 6455 §7.4.1 and its registry
LOGGED_OUT, HIDDEN, GONE = 4401, 4403, 4404  # our own, after the HTTP statuses


class Connection(Watcher):
    """An accepted socket, and at the same time the hub's watcher."""

    __slots__ = ("_code", "_deadline", "_has_news", "_hub", "_is_over", "_is_sending", "_write", "quota_key", "viewer")

    def __init__(
        self, competition: int, viewer: Viewer, hub: "Hub[Connection]", quota_key: str = "", kind: Kind = "figures"
    ) -> None:
        super().__init__(competition, kind)
        self.viewer, self.quota_key = viewer, quota_key
        self._hub = hub
        self._has_news = asyncio.Event()
        self._is_over = self._is_sending = False
        self._code: int | None = None
        self._deadline = asyncio.timeout(None)
        self._write: Callable[[bytes], bool] | None = None

    def wake(self) -> SnapshotMessage | None:
        """Write the waiting message at once where the reader keeps up, and return it; otherwise wake the sending task."""
        unsent = self.unsent
        if unsent is None or self._write is None or self._is_over or self._is_sending or not self._write(unsent.frame):
            self._has_news.set()
            return None
        return self._hub.take(self)

    def end(self, code: int | None) -> None:
        """Send nothing more; close with `code`, or silently when the client is gone (None). The first call counts."""
        self._hub.leave(self)
        if self._is_over:
            return
        self._is_over, self._code = True, code
        self._has_news.set()
        if self._is_sending:  # it is stuck: between two sends this is never true outside the task
            self._limit(0.0 if code is None else GOODBYE_S)

    async def serve(self, receive: Receive, send: Send, write: Callable[[bytes], bool] | None = None) -> None:
        """Send until the end. Returns when the socket may be released.

        `write` puts a whole frame on the wire at once, or returns False where that would wait.
        """
        self._write = write
        listening = asyncio.create_task(self._listen(receive))
        try:
            async with self._deadline:
                await self._send_messages(send)
                if self._code is not None:
                    self._limit(GOODBYE_S)
                    await send({"type": "websocket.close", "code": self._code})
        except (TimeoutError, OSError):
            pass  # too slow, or gone: the server drops the connection when we return
        finally:
            self.end(None)
            listening.cancel()
            await asyncio.wait([listening])

    async def _send_messages(self, send: Send) -> None:
        while not self._is_over:
            is_first, message = self.given == NOTHING, self._hub.take(self)
            if message is None:
                self._has_news.clear()
                await self._has_news.wait()
                continue
            self._limit(SEND_DEADLINE_S)
            self._is_sending = True
            try:
                await send({"type": "websocket.send", "text": message.text})
            finally:
                self._is_sending = False
            self._deadline.reschedule(None)
            if not is_first:  # that one is as old as the last vote
                observe_sent([message])

    def _limit(self, seconds: float) -> None:
        if not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + seconds)

    async def _listen(self, receive: Receive) -> None:
        second, heard = 0, 0
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self.end(None)
                return
            now = int(time.monotonic())
            second, heard = now, heard + 1 if now == second else 1
            if _size(message) > SOCKET_MESSAGE_MAX_BYTES:
                self.end(TOO_BIG)
            elif heard > SOCKET_MESSAGES_PER_S:
                self.end(POLICY)


def observe_sent(messages: Iterable[SnapshotMessage]) -> None:
    """Measure how long after their commit these were sent, just now. Most of them are the same one."""
    now = time.monotonic()
    for committed_at, times in Counter(message.committed_at for message in messages).items():
        if committed_at is not None:
            SNAPSHOT_DELAY.observe_times(max(0.0, now - committed_at), times)


def _size(message: Message) -> int:
    text: Any = message.get("text")
    return len(text.encode("utf-8")) if text is not None else len(message.get("bytes") or b"")
