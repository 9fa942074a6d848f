"""One JSON line per request, in the form of `logs.py`, written together once per turn of the event loop.

structlog takes a third of a vote's time for a line (measured by `make bench`); this takes a twentieth of that. Each request
has its line; what is waiting when a process is killed with -9 is lost, as with any log that is not synced.
"""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson


class RequestLog:
    """Lines of one process. Belongs to one event loop."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []

    def write(self, **line: Any) -> None:
        """Add the line of one request."""
        line |= {"event": "request", "level": "info", "time": datetime.now(UTC).isoformat(), "part": "web"}
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append(orjson.dumps(line))

    def flush(self) -> None:
        """Write what is waiting."""
        lines, self._waiting = self._waiting, []
        if lines:
            stream = self._stream or sys.stdout
            stream.write(b"\n".join([*lines, b""]).decode("utf-8"))
            stream.flush()
