"""TCP keepalive for every connection to a store: a peer that is gone without a word is noticed within seconds.

A firewall that forgets a connection, a host that loses power or a cut cable send nothing. The kernel finds out by itself:
it probes a connection that is idle, and gives one up whose data nobody acknowledges (RFC 1122 §4.2.3.6, RFC 5482). What the
kernel cannot see, a peer that acknowledges and never answers, is for the deadlines of whoever waits.
"""

import socket
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

IDLE_S = 5  # without a word from the peer, then it is probed
PROBE_EVERY_S = 2
PROBES = 3
UNACKNOWLEDGED_MS = 6_000  # data that is not acknowledged for so long ends the connection

_POSTGRES = {
    "keepalives": "1",
    "keepalives_idle": str(IDLE_S),
    "keepalives_interval": str(PROBE_EVERY_S),
    "keepalives_count": str(PROBES),
    "tcp_user_timeout": str(UNACKNOWLEDGED_MS),
}
_SOCKET = {  # what a system does not know is left out
    "TCP_KEEPIDLE": IDLE_S,
    "TCP_KEEPINTVL": PROBE_EVERY_S,
    "TCP_KEEPCNT": PROBES,
    "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS,
}


def for_postgres(url: str) -> dict[str, Any]:
    """Return the parameters for libpq, without those that the URL has itself. A unix socket ignores them."""
    try:
        given = conninfo_to_dict(url)
    except ProgrammingError:
        given = {}  # whoever connects will say what is wrong with it
    return {name: value for name, value in _POSTGRES.items() if name not in given}


def for_socket() -> dict[int, int]:
    """Return the same as options of a TCP socket (level IPPROTO_TCP)."""
    return {getattr(socket, name): value for name, value in _SOCKET.items() if hasattr(socket, name)}
