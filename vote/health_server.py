"""Answers `GET /health` for a process that serves nothing else: worker and backup, on METRICS_PORT.

200 while its loop turns, 503 once it has not turned for TURN_WITHIN_S. A turn that failed because a store is down
counts: restarting the process would not help.
"""

import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vote.errors import ConfigError

TURN_WITHIN_S = 30.0
CLIENT_TIMEOUT_S = 5.0  # for one request; there is nothing to be slow about


class HealthServer:
    """A thread that answers health checks. Without a port it only counts turns."""

    def __init__(self, host: str, port: int | None) -> None:
        """Bind at once. Raises ConfigError when the port cannot be used."""
        self._turned_at = time.monotonic()
        self._server = None if port is None else _listen(host, port, self._handler())
        if self._server is not None:
            threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def turned(self) -> None:
        """Note that the loop has turned."""
        self._turned_at = time.monotonic()

    def is_healthy(self) -> bool:
        """Return whether the loop has turned lately."""
        return time.monotonic() - self._turned_at <= TURN_WITHIN_S

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        health = self

        class Handler(BaseHTTPRequestHandler):
            timeout = CLIENT_TIMEOUT_S
            server_version, sys_version = "vote", ""

            def do_GET(self) -> None:
                if self.path != "/health":
                    self.send_error(HTTPStatus.NOT_FOUND)
                    return
                is_healthy = health.is_healthy()
                body = b'{"status": "ok"}\n' if is_healthy else b'{"status": "stalled"}\n'
                self.send_response(HTTPStatus.OK if is_healthy else HTTPStatus.SERVICE_UNAVAILABLE)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Log nothing: it is asked every few seconds."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listen(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> _Server:
    try:
        return (_Server6 if ":" in host else _Server)((host, port), handler)
    except OSError as error:
        raise ConfigError(f"METRICS_PORT: {host}:{port} cannot be used ({error.strerror}). Set another.") from error
