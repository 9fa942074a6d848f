"""TCP keepalive for every connection to a store, so that a peer that silently disappears is noticed within seconds.

A firewall that drops a connection, a power failure or a cut cable sends nothing. The kernel detects it: it probes idle
connections and drops those whose data is not acknowledged (RFC 1122 §4.2.3.6, RFC 5482). A peer that acknowledges and never
answers is up to the callers' deadlines.
"""

import socket
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

IDLE_S = 5  # of silence before the first probe
PROBE_EVERY_S = 2
PROBES = 3
UNACKNOWLEDGED_MS = 6_000  # data unacknowledged for so long ends the connection

_POSTGRES = {
    "keepalives": "1",
    "keepalives_idle": str(IDLE_S),
    "keepalives_interval": str(PROBE_EVERY_S),
    "keepalives_count": str(PROBES),
    "tcp_user_timeout": str(UNACKNOWLEDGED_MS),
}
_SOCKET = {  # options that the system lacks are left out
    "TCP_KEEPIDLE": IDLE_S,
    "TCP_KEEPINTVL": PROBE_EVERY_S,
    "TCP_KEEPCNT": PROBES,
    "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS,
}


def for_postgres(url: str) -> dict[str, Any]:
    """Return the parameters for libpq, except those that the URL sets. A unix socket ignores them."""
    try:
        given = conninfo_to_dict(url)
    except ProgrammingError:
        given = {}  # connecting will report what is wrong with it
    return {name: value for name, value in _POSTGRES.items() if name not in given}


def for_socket() -> dict[int, int]:
    """Return the same settings as options of a TCP socket (level IPPROTO_TCP)."""
    return {getattr(socket, name): value for name, value in _SOCKET.items() if hasattr(socket, name)}
