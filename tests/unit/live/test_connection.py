"""One socket against readers that are quick, stuck, noisy or gone. The server's side is spoken as ASGI defines it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from vote.live import connection as module
from vote.live.admission import Viewer
from vote.live.connection import LOGGED_OUT, POLICY, TOO_BIG, Connection
from vote.live.hub import Hub
from vote.live.messages import SnapshotMessage

Message = dict[str, Any]
SOON_S = 5.0


class Client:
    """The other end: what it says is put in, what it is sent is kept. It reads while `reads` is set."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[Message] = asyncio.Queue()
        self.got: list[Message] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.sending = asyncio.Event()
        self.was_sent = asyncio.Event()

    async def receive(self) -> Message:
        return await self.says.get()

    async def send(self, message: Any) -> None:
        self.sending.set()
        await self.reads.wait()
        self.got.append(dict(message))
        self.was_sent.set()

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.got if message["type"] == "websocket.send"]

    @property
    def code(self) -> int | None:
        last = self.got[-1] if self.got else {}
        return last.get("code")

    async def wait_texts(self, count: int) -> None:
        while len(self.texts) < count:
            self.was_sent.clear()
            await self.was_sent.wait()


class Room:
    """A hub with connections that are being served."""

    def __init__(self) -> None:
        self.hub: Hub[Connection] = Hub()

    def enter(self, write: Callable[[bytes], bool] | None = None) -> tuple[Client, Connection, "asyncio.Task[None]"]:
        client, connection = Client(), Connection(1, Viewer(), self.hub)
        self.hub.join(connection, SnapshotMessage(1, 0, "0"))
        return client, connection, asyncio.create_task(connection.serve(client.receive, client.send, write))

    def publish(self, version: int) -> None:
        for connection in self.hub.publish(SnapshotMessage(1, version, str(version))):
            connection.wake()


def in_room(test: Callable[[Room], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    async def run() -> None:
        async with asyncio.timeout(SOON_S):
            await test(Room())

    def wrapped() -> None:
        asyncio.run(run())

    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


@in_room
async def test_news_is_sent_as_it_comes(room: Room) -> None:
    client, connection, served = room.enter()
    await client.wait_texts(1)

    room.publish(1)
    await client.wait_texts(2)
    room.publish(2)
    await client.wait_texts(3)

    assert client.texts == ["0", "1", "2"]
    connection.end(None)
    await served


@in_room
async def test_a_stuck_reader_delays_nobody_and_is_given_the_newest_later(room: Room) -> None:
    stuck, slow_end, slow_served = room.enter()
    quick, quick_end, quick_served = room.enter()
    stuck.reads.clear()
    await stuck.sending.wait()
    for version in range(1, 100):
        room.publish(version)
        await quick.wait_texts(version + 1)
    assert stuck.texts == []

    stuck.reads.set()
    await stuck.wait_texts(2)

    assert stuck.texts == ["0", "99"]
    assert quick.texts == [str(version) for version in range(100)]
    for connection, served in ((slow_end, slow_served), (quick_end, quick_served)):
        connection.end(None)
        await served


def test_a_reader_that_stays_stuck_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_DEADLINE_S", 0.05)

    @in_room
    async def run(room: Room) -> None:
        client, _connection, served = room.enter()
        client.reads.clear()

        await served

        assert client.got == []
        assert room.hub.watched() == []

    run()


@in_room
async def test_an_end_does_not_wait_for_a_stuck_reader(room: Room) -> None:
    client, connection, served = room.enter()
    client.reads.clear()
    await client.sending.wait()

    connection.end(LOGGED_OUT)
    await served  # far sooner than SEND_DEADLINE_S, which is longer than this test may take

    assert client.got == []


@in_room
async def test_the_first_end_counts_and_nothing_is_sent_after_it(room: Room) -> None:
    client, connection, served = room.enter()
    await client.wait_texts(1)
    room.publish(1)

    connection.end(LOGGED_OUT)
    connection.end(POLICY)
    await served

    assert client.texts == ["0"]
    assert client.code == LOGGED_OUT


def say(*messages: Message) -> Callable[[Client], Awaitable[None]]:
    async def speak(client: Client) -> None:
        for message in messages:
            await client.says.put({"type": "websocket.receive", **message})

    return speak


@pytest.mark.parametrize(
    ("speak", "code"),
    [
        (say({"text": "x" * 1025}), TOO_BIG),
        (say({"text": "é" * 513}), TOO_BIG),
        (say({"bytes": b"x" * 1025}), TOO_BIG),
        (say(*[{"text": "hello"}] * 20), POLICY),
    ],
)
def test_a_client_that_says_too_much_is_closed(speak: Callable[[Client], Awaitable[None]], code: int) -> None:
    @in_room
    async def run(room: Room) -> None:
        client, _connection, served = room.enter()

        await speak(client)
        await served

        assert client.code == code

    run()


@in_room
async def test_a_few_small_words_are_borne(room: Room) -> None:
    client, connection, served = room.enter()

    await say({"text": "x" * 1024}, {"bytes": b"ping"}, {"text": "", "bytes": None})(client)
    await client.wait_texts(1)
    room.publish(1)
    await client.wait_texts(2)

    connection.end(None)
    await served
    assert client.code is None


@in_room
async def test_a_client_that_goes_while_it_is_sent_something_is_let_go(room: Room) -> None:
    client, _connection, served = room.enter()
    client.reads.clear()
    await client.sending.wait()

    await client.says.put({"type": "websocket.disconnect", "code": 1006})
    await served

    assert room.hub.watched() == []


@in_room
async def test_a_send_to_somebody_gone_ends_quietly(room: Room) -> None:
    connection = Connection(1, Viewer(), room.hub)
    room.hub.join(connection, SnapshotMessage(1, 0, "0"))

    async def send(_message: Any) -> None:
        raise OSError("gone")

    await connection.serve(Client().receive, send)

    assert room.hub.watched() == []


class Wire:
    """A reader's side of the wire: what was written at once; while it is `full`, a write would wait."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.is_full = False

    def write(self, frame: bytes) -> bool:
        if not self.is_full:
            self.frames.append(frame)
        return not self.is_full


@in_room
async def test_one_frame_is_written_to_all_who_read_and_nobody_is_woken(room: Room) -> None:
    wires = [Wire(), Wire()]
    entered = [room.enter(wire.write) for wire in wires]
    for client, _connection, _served in entered:
        await client.wait_texts(1)

    room.publish(1)  # nothing is awaited from here to the asserts: it is written by who tells it

    assert [wire.frames for wire in wires] == [[b"\x81\x011"]] * 2
    assert wires[0].frames[0] is wires[1].frames[0]
    for client, connection, served in entered:
        connection.end(None)
        await served
        assert client.texts == ["0"]


@in_room
async def test_who_does_not_read_is_sent_the_newest_by_a_task_and_never_anything_older(room: Room) -> None:
    wire = Wire()
    client, connection, served = room.enter(wire.write)
    await client.wait_texts(1)
    client.reads.clear()
    client.sending.clear()
    wire.is_full = True
    room.publish(1)
    await client.sending.wait()
    wire.is_full = False
    room.publish(2)  # between two parts of what is being sent nothing may be written
    room.publish(3)
    assert wire.frames == []

    client.reads.set()
    await client.wait_texts(3)
    room.publish(4)

    assert client.texts == ["0", "1", "3"]
    assert wire.frames == [b"\x81\x014"]
    connection.end(LOGGED_OUT)
    room.publish(5)
    await served
    assert wire.frames == [b"\x81\x014"]
