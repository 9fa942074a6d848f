"""Let nobody new into a port that is about to be closed.

Between the last accept and the close the kernel still completes connections. They are reset when the port closes, and a
ballot on one is "not confirmed". So newcomers are dropped first: their SYN gets no answer, and when it is sent again, a
second later (RFC 6298), the port is closed, which says clearly that nothing was sent.
"""

import contextlib
import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26  # asm-generic/socket.h; the socket module has no name for it
# Classic BPF, for a TCP segment from its header on (linux/filter.h): drop those with SYN and without ACK.
_INSTRUCTIONS = (
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),  # then drop
    (0x06, 0, 0, 0xFFFF),  # else let through
)


def drop_newcomers(listener: socket.socket) -> None:
    """Drop new connections to a listening TCP socket, for every process that shares it, until it is closed.

    Who has connected, or is about to complete it, still gets in. Where the kernel does not let this account set a filter
    nothing changes: about one stop in ten, under a steady load of new connections, then resets one.
    """
    program = b"".join(struct.pack("HBBI", *one) for one in _INSTRUCTIONS)
    memory = ctypes.create_string_buffer(program, len(program))
    with contextlib.suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(_INSTRUCTIONS), ctypes.addressof(memory))
        )
