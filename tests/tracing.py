"""System calls of a running log server, by strace: what was written to its file, when it was synced, when it answered."""

import contextlib
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.stack import wait_until

STRACE = shutil.which("strace")
CALLS = "write,writev,sendto,sendmsg,fdatasync,fsync"
_CALL = re.compile(r"^\d+\s+(?P<name>\w+)\((?P<fd>\d+)<(?P<path>[^>]*)>.*\)\s+=\s+(?P<result>-?\d+)")


class Answer(NamedTuple):
    """An answer to a client: how much of the log file was written and how much of that was on disk at that moment."""

    written: int
    synced: int


class Trace:
    """What strace saw of one server."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def answers(self) -> list[Answer]:
        """Every answer on a client's socket, with the state of the log file before it. Lengths count from the start of
        the trace."""
        written = synced = 0
        found: list[Answer] = []
        for line in self.path.read_text("utf-8", "replace").splitlines():
            call = _CALL.match(line)
            if call is None or int(call["result"]) < 0:
                continue
            if ".aof" in call["path"]:
                if call["name"] in ("fdatasync", "fsync"):
                    synced = written
                else:
                    written += int(call["result"])
            elif "UNIX" in call["path"] or "TCP" in call["path"] or "socket" in call["path"]:
                found.append(Answer(written, synced))
        return found


@contextlib.contextmanager
def traced(pid: int, output: Path, *inject: str, only: str | None = None) -> Iterator[Trace]:
    """Trace the server `pid` (all threads) while the block runs; `inject` as strace's -e inject=…, `only` on one file."""
    assert STRACE is not None
    more = [part for one in inject for part in ("-e", f"inject={one}")] + (["-P", only] if only else [])
    command = [STRACE, "-f", "-yy", "-s", "0", "-o", str(output), "-e", f"trace={CALLS}", *more, "-p", str(pid)]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    wait_until(lambda: "attached" in (strace.stderr.readline() if strace.stderr else ""), what="strace attaches")
    try:
        yield Trace(output)
    finally:
        with contextlib.suppress(ProcessLookupError):
            strace.send_signal(signal.SIGINT)
        strace.communicate(timeout=20)
