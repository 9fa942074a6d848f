"""Let nobody new into a port that is about to be closed.

Between the last accept and the close the kernel still completes connections. They are reset when the port closes, and a
ballot on one is "not confirmed". So the queue of the port is shortened to one place (`shorten_queue`), and before the close
that place is taken by a connection of our own (`take_place`). Whoever asks meanwhile gets no answer to the SYN; when it is
sent again, a second later (RFC 6298), the port is closed, which says clearly that nothing was sent.
"""

import contextlib
import select
import socket

TRIES = 500  # each serves someone who was faster
WITHIN_MS = 10  # a connection to ourselves is there at once, or the place is taken


def shorten_queue(listener: socket.socket) -> None:
    """Leave one place in the queue of a listening socket, for every process that shares it. Who waits already stays."""
    listener.listen(0)  # Linux admits one more than it is told


def take_place(listener: socket.socket) -> tuple[list[socket.socket], socket.socket | None]:
    """Accept everyone who waits, and take the only place left. Close the port before anything else, then what is returned:
    who waited, and the connection that holds the place. It is None where the queue could not be filled.

    Where the queue has more places, since other processes go on serving, ours is one in it, which they find closed.
    """
    waiting: list[socket.socket] = []
    for _ in range(TRIES):
        waiting += _accepted(listener)
        if (own := _connected(listener)) is not None:
            return waiting, own
    return waiting, None


def _accepted(listener: socket.socket) -> list[socket.socket]:
    found = []
    with contextlib.suppress(OSError):  # nobody waits any more, or another process has closed it
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            found.append(connection)
    return found


def _connected(listener: socket.socket) -> socket.socket | None:
    own = socket.socket(listener.family, socket.SOCK_STREAM)
    own.setblocking(False)
    waits = select.poll()
    waits.register(own, select.POLLOUT)
    with contextlib.suppress(OSError):
        own.connect_ex(listener.getsockname())
        if waits.poll(WITHIN_MS) and own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
            return own
    own.close()
    return None
