"""Answers `/health` and `/metrics` for a process that serves nothing else: worker and backup, on METRICS_PORT.

`/health` is 200 while its loop turns, 503 once it has not turned for TURN_WITHIN_S. A turn that failed because a store is
down counts: restarting the process would not help. `/metrics` is for METRICS_NETWORKS; strangers get the web's refusal.
"""

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog

from vote.errors import METRICS_REFUSED, ConfigError, NotAllowed
from vote.networks import LOOPBACK, Networks, is_in_networks, parse

TURN_WITHIN_S = 30.0
CLIENT_TIMEOUT_S = 5.0  # for one request; there is nothing to be slow about
JSON, METRICS, PROBLEM = "application/json", "text/plain; version=0.0.4; charset=utf-8", "application/problem+json"

logger = structlog.get_logger()


class HealthServer:
    """A thread that answers probes. Without a port it only counts turns."""

    def __init__(
        self, host: str, port: int | None, *, metrics: Callable[[], bytes] = bytes, networks: Networks = LOOPBACK
    ) -> None:
        """Bind at once. Raises ConfigError when the port cannot be used. `metrics` renders the page, for `networks` only."""
        self._turned_at = time.monotonic()
        self._metrics, self._networks = metrics, tuple(networks)
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

    def _answer(self, path: str, peer: str, headers: list[str]) -> tuple[HTTPStatus, str, bytes]:
        """Return status, media type and body."""
        if path == "/metrics":
            if not is_in_networks(parse(peer), self._networks, headers):
                return _refusal()
            return HTTPStatus.OK, METRICS, self._metrics()
        if self.is_healthy():
            return HTTPStatus.OK, JSON, b'{"status": "ok"}\n'
        return HTTPStatus.SERVICE_UNAVAILABLE, JSON, b'{"status": "stalled"}\n'

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        health = self

        class Handler(BaseHTTPRequestHandler):
            timeout = CLIENT_TIMEOUT_S
            server_version, sys_version = "vote", ""

            def do_GET(self) -> None:
                if self.path not in ("/health", "/metrics"):
                    self.send_error(HTTPStatus.NOT_FOUND)
                    return
                status, media_type, body = health._answer(self.path, self.client_address[0], self.headers.keys())
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Log nothing: it is asked every few seconds."""

        return Handler


def _refusal() -> tuple[HTTPStatus, str, bytes]:
    """Return what the web answers strangers (RFC 9457)."""
    request_id, why = secrets.token_hex(16), NotAllowed.__name__
    logger.warning("access refused", why=why, reason=METRICS_REFUSED, endpoint="metrics", request_id=request_id)
    problem = {
        "type": "about:blank",
        "title": "Not allowed",
        "status": HTTPStatus.FORBIDDEN.value,
        "detail": METRICS_REFUSED,
        "request_id": request_id,
    }
    return HTTPStatus.FORBIDDEN, PROBLEM, json.dumps(problem).encode("ascii")


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listen(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> _Server:
    try:
        return (_Server6 if ":" in host else _Server)((host, port), handler)
    except OSError as error:
        raise ConfigError(f"METRICS_PORT: {host}:{port} cannot be used ({error.strerror}). Set another.") from error
