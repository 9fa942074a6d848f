"""PBKDF2 in a process of its own that yields to every other one; whoever asks only waits for its answer.

A thread would not do. hashlib lets go of the interpreter lock while it works, but a thread that yields has to take it back
afterwards, and whoever hands it over waits until that thread is given a core: votes stood still for 0.1 s (docs/adr/0032).

Run as a program this file is the child. It imports nothing of ours, so that it is there in some 20 ms.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

NICE = 5  # a third of the share of what answers votes, where both want the same core
AUTOGROUP = Path("/proc/self/autogroup")
TRIES = 10
LOADER_NAMES = (
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
)  # where a Python that is not installed in the system has its library


class HashProcess:
    """A child, started when it is first needed. For one thread at a time, but for `end`."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def pbkdf2(self, password: bytes, salt: bytes, rounds: int) -> bytes:
        """PBKDF2-HMAC-SHA256. A child that has died is replaced; where none can be had it is computed in this thread."""
        for _ in range(2):
            with contextlib.suppress(OSError, ValueError):
                return self._ask(password, salt, rounds)
            self.end()
        return hashlib.pbkdf2_hmac("sha256", password, salt, rounds)

    def end(self) -> None:
        """End the child and what it computes. A later question starts another."""
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(OSError), child:  # an OSError: what could not be written to it any more
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
    # Keys and passwords of stores are in our environment: it is given nothing of it but what finds Python's own library.
    environ = {name: os.environ[name] for name in LOADER_NAMES if name in os.environ}
    return subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """The child: a digest for each line, until there are no more, which is also when the parent is gone."""
    for line in questions:
        password, salt, rounds = line.decode("ascii").split(":")
        digest = hashlib.pbkdf2_hmac("sha256", bytes.fromhex(password), bytes.fromhex(salt), int(rounds))
        answers.write(f"{digest.hex()}\n".encode("ascii"))
        answers.flush()


def step_back() -> None:
    """Let others have a core first. Linux may weigh sessions before processes: this one has its own, which yields too."""
    with contextlib.suppress(OSError):  # where a sandbox forbids it people must still log in
        os.nice(NICE)
    for _ in range(TRIES):
        try:
            AUTOGROUP.write_text(str(NICE), encoding="ascii")
        except BlockingIOError:  # the kernel takes one such change in a tenth of a second, of all processes together
            time.sleep(0.1)
        except OSError:
            return
        else:
            return


if __name__ == "__main__":
    step_back()
    serve(sys.stdin.buffer, sys.stdout.buffer)
