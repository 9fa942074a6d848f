"""Compute PBKDF2 in a separate process with low priority; callers only wait for its answer.

A thread would not do. hashlib releases the interpreter lock while it works, but a low-priority thread must take it back
afterwards, and the thread that hands it over waits until the other gets a core: votes stalled for 0.1 s (docs/adr/0032).

Run as a program, this file is the child. It imports none of our modules, so it starts in some 20 ms.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

NICE = 5  # a third of the share of a process that answers votes, when both want the same core
AUTOGROUP = Path("/proc/self/autogroup")
TRIES = 10
LOADER_NAMES = (
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
)  # where a Python outside the system directories finds its library


class HashProcess:
    """A child process, started on first use. Serves one thread at a time, except that any thread may call `end`."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def pbkdf2(self, password: bytes, salt: bytes, rounds: int) -> bytes:
        """Return PBKDF2-HMAC-SHA256. Replaces a child that has died; if none can be started, computes in this thread."""
        for _ in range(2):
            with contextlib.suppress(OSError, ValueError):
                return self._ask(password, salt, rounds)
            self.end()
        return hashlib.pbkdf2_hmac("sha256", password, salt, rounds)

    def end(self) -> None:
        """End the child and its computation. The next call starts another."""
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(OSError), child:  # OSError: buffered input that the child did not read
                child.kill()

    def _ask(self, password: bytes, salt: bytes, rounds: int) -> bytes:
        child = self._child = self._child or _start()
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{password.hex()}:{salt.hex()}:{rounds}\n".encode("ascii"))
        child.stdin.flush()
        answer = child.stdout.readline()
        if not answer.endswith(b"\n"):
            raise ChildProcessError
        return bytes.fromhex(answer.decode("ascii"))


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", __file__]
    # Our environment holds keys and passwords: pass on only what finds Python's own library.
    environ = {name: os.environ[name] for name in LOADER_NAMES if name in os.environ}
    return subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each line with a digest, until the input ends, which also happens when the parent dies."""
    for request in requests:
        password, salt, rounds = request.decode("ascii").split(":")
        digest = hashlib.pbkdf2_hmac("sha256", bytes.fromhex(password), bytes.fromhex(salt), int(rounds))
        answers.write(f"{digest.hex()}\n".encode("ascii"))
        answers.flush()


def step_back() -> None:
    """Lower the priority of this process and of its own session, as Linux may schedule sessions before processes."""
    with contextlib.suppress(OSError):  # a sandbox may forbid it, and people must still log in
        os.nice(NICE)
    for _ in range(TRIES):
        try:
            AUTOGROUP.write_text(str(NICE), encoding="ascii")
        except BlockingIOError:  # the kernel allows one such change per 0.1 s, over all processes
            time.sleep(0.1)
        except OSError:
            return
        else:
            return


if __name__ == "__main__":
    step_back()
    serve(sys.stdin.buffer, sys.stdout.buffer)
