"""gunicorn's configuration for the front door, read by gunicorn itself (`-c python:vote.ops.gunicorn_conf`).

The names here are gunicorn's. Address and number of processes come from the settings, on the command line (`web.py`).
"""

import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]

from vote import logs
from vote.config import load as load_settings
from vote.config import metrics_folder
from vote.input_limits import CONNECTIONS_MAX, SOCKET_MESSAGE_MAX_BYTES
from vote.metrics.folder import process_ended
from vote.metrics.process import ProcessCollector
from vote.ops.process import die_with_parent
from vote.server.closing_port import shorten_queue
from vote.server.draining import DrainingServer
from vote.server.http_protocol import FrontDoorProtocol

DRAIN_S = 8  # requests under way may finish; a vote takes milliseconds
GC_OBJECTS = 50_000  # new objects before a collection, which took a tenth of the time with hundreds of open requests
PING_S = 20.0  # a watcher that silently disappeared is dropped after at most twice this


class JsonLogger(Logger):  # type: ignore[misc]  # the package carries no types
    """gunicorn's logger without its own handlers, so that its lines are JSON like all others, from the first one on."""

    def setup(self, cfg: Any) -> None:
        """Configure the process; gunicorn calls this at its start and in each worker."""
        super().setup(cfg)
        logs.configure("web")


class FrontDoorWorker(UvicornWorker):  # type: ignore[misc]  # the package carries no types
    """A uvicorn worker that trusts no forwarding header, disconnects slow clients and does not outlive its master."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "lifespan": "on",
        "proxy_headers": False,  # TRUSTED_PROXIES is applied by the app, hop by hop
        "server_header": False,
        "access_log": False,  # the app writes its own line per request
        "ws": "vote.live.protocol:WatcherProtocol",
        "ws_max_size": SOCKET_MESSAGE_MAX_BYTES,
        "ws_ping_interval": PING_S,
        "ws_ping_timeout": PING_S,
        "ws_per_message_deflate": False,  # snapshots are small; thousands of compressors are not
        "timeout_graceful_shutdown": DRAIN_S,
        "limit_concurrency": CONNECTIONS_MAX,
    }

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        logs.route_libraries()  # the base class gave uvicorn's loggers gunicorn's handlers

    def init_process(self) -> None:
        """Tie this process to its master first: an orphan would hold the port and keep the next master out."""
        die_with_parent(self.ppid, signal.SIGKILL)
        self.config.http = FrontDoorProtocol.with_timeout(load_settings().client_timeout_s)
        gc.set_threshold(GC_OBJECTS)
        super().init_process()

    async def _serve(self) -> None:
        """Serve as the base class does, with a server that stops without failing a request."""
        self.config.app = self.wsgi
        server = DrainingServer(config=self.config)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)


worker_class = FrontDoorWorker
logger_class = JsonLogger
control_socket_disable = True
loglevel = "warning"  # `vote up`, or whatever runs it, reports starts and stops
graceful_timeout = DRAIN_S + 2
keepalive = 75  # longer than nginx keeps its connections to us


def on_starting(server: Arbiter) -> None:
    """Import the app before forking: each process has it in memory and takes votes half a second sooner.

    Read the settings too: a process that replaces another one inherits them, and needs no secret manager.
    """
    importlib.import_module("vote.asgi")
    load_settings()
    ProcessCollector.root = os.getpid()
    server.stop = partial(_stop, server, server.stop)  # gunicorn has no hook for it


def _stop(master: Arbiter, stop: Callable[..., None], graceful: bool = True) -> None:
    """Shorten the queue before the processes are told to end, unless another master serves the same port."""
    if not master.systemd and master.reexec_pid == master.master_pid == 0:
        for listener in master.LISTENERS:
            shorten_queue(listener)
    stop(graceful)


def child_exit(_server: object, worker: Any) -> None:
    """Add what an ended process counted to the sums, and remove its gauges from them."""
    folder = metrics_folder()
    if folder is not None:
        process_ended(Path(folder), worker.pid)
