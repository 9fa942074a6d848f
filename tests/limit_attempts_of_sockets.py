"""How limits of `vote/input_limits.py` are tried over WebSocket; the form is that of `limit_tries.py`."""

import contextlib
from collections.abc import Iterator

from websocket import ABNF, WebSocket, WebSocketBadStatusException, create_connection

from tests import hostile_clients as strangers
from tests.limit_attempts import LOW, SERVED, Ground, row
from vote import input_limits as limits


@contextlib.contextmanager
def socket_of(ground: Ground, *, header: list[str] | None = None) -> Iterator[WebSocket]:
    url = f"ws://127.0.0.1:{ground.stack.port}/live/{ground.competition}"
    one = create_connection(url, timeout=strangers.TIMEOUT_S, header=header or [])
    try:
        one.recv()  # the first snapshot
        yield one
    finally:
        one.close()


def handshake(ground: Ground, size: int) -> int:
    try:
        with socket_of(ground, header=["X: " + "a" * (size - 1)]):
            return SERVED
    except WebSocketBadStatusException as error:
        return int(error.status_code)


def after(ground: Ground, *said: tuple[bytes, int, int], closes: bool) -> int:
    """What follows these frames (data, opcode, whether it ends a message): the code of a close, or SERVED when it goes on.

    One that `closes` is waited for; otherwise pings are answered: the first answer may overtake a close, the next cannot.
    """
    with socket_of(ground) as one:
        for data, opcode, fin in said:
            with contextlib.suppress(OSError):
                one.send_frame(ABNF(fin, 0, 0, 0, opcode, 1, data))
        if closes:
            return next_frame(one, ABNF.OPCODE_CLOSE)
        for _ in range(2):
            one.ping(b"still here")
            assert next_frame(one, ABNF.OPCODE_PONG)
    return SERVED


def next_frame(one: WebSocket, opcode: int) -> int:
    """The first two bytes of the next frame of this kind, as a number: a close has its code there."""
    while True:
        frame = one.recv_frame()
        if frame.opcode == opcode:
            return int.from_bytes(frame.data[:2], "big")
        assert frame.opcode != ABNF.OPCODE_CLOSE, frame.data


def message(ground: Ground, size: int) -> int:
    return after(ground, (b"a" * size, ABNF.OPCODE_TEXT, 1), closes=size > limits.SOCKET_MESSAGE_MAX_BYTES)


def messages(ground: Ground, number: int) -> int:
    """One too many is twice as many and one: in whichever second they come, one of two has too many."""
    closes = number > limits.SOCKET_MESSAGES_PER_S
    return after(ground, *[(b"a", ABNF.OPCODE_TEXT, 1)] * (2 * number if closes else number), closes=closes)


def frames(ground: Ground, number: int) -> int:
    """The two pings that ask whether the socket goes on are among them."""
    closes = number > limits.SOCKET_FRAMES_PER_S
    return after(ground, *[(b"", ABNF.OPCODE_PONG, 1)] * (2 * number if closes else number - 2), closes=closes)


def fragments(ground: Ground, number: int) -> int:
    more = [(b"", ABNF.OPCODE_CONT, 0)] * (number - 2)
    closes = number > limits.SOCKET_FRAGMENTS_MAX
    return after(ground, (b"a", ABNF.OPCODE_TEXT, 0), *more, (b"", ABNF.OPCODE_CONT, 1), closes=closes)


def sockets_of_an_account(ground: Ground, number: int) -> int:
    whose = [f"Authorization: Bearer {ground.new_token()}"]
    with contextlib.ExitStack() as held:
        try:
            for _ in range(int(LOW["LIMIT_SOCKETS_PER_ACCOUNT"]) + number - row("sockets of an account").number):
                held.enter_context(socket_of(ground, header=whose))
        except WebSocketBadStatusException as error:
            return int(error.status_code)
    return SERVED
