"""Ports that nobody else in this process is given: sites that start at the same moment must not meet."""

import threading

from tests.stack import free_port

_given: set[int] = set()
_lock = threading.Lock()


def own_port() -> int:
    """Return a free port, never the same twice."""
    with _lock:
        while (port := free_port()) in _given:
            pass
        _given.add(port)
        return port
