"""Passwords are hashed by a process that yields to all others, and are hashed also when it is gone."""

import contextlib
import hashlib
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import wait_until
from vote import hash_process
from vote.hash_process import HashProcess, serve

ASKED = b"p\xc3\xa4ss\n:word", b"salt", 1_000
RIGHT = hashlib.pbkdf2_hmac("sha256", *ASKED)


@pytest.fixture
def hasher() -> Iterator[HashProcess]:
    one = HashProcess()
    yield one
    one.end()


def child_of(hasher: HashProcess) -> int:
    assert hasher._child is not None
    return hasher._child.pid


def test_it_yields_to_every_process_that_answers_votes(hasher: HashProcess) -> None:
    assert hasher.pbkdf2(*ASKED) == RIGHT

    child, own = child_of(hasher), os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, child) == min(own + hash_process.NICE, 19)
    assert os.getsid(child) == child
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{child}/autogroup", encoding="ascii") as group:
        assert group.read().split()[-1] in ("", str(hash_process.NICE))


def test_it_is_told_nothing_of_our_environment(hasher: HashProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "q3Wv6KzX9tRb1MnC5yHj8LpG0dSf7UeA")
    hasher.pbkdf2(*ASKED)

    names = {
        pair.partition("=")[0] for pair in Path(f"/proc/{child_of(hasher)}/environ").read_text().split("\0") if pair
    }

    assert names <= set(hash_process.LOADER_NAMES)


def test_one_child_serves_until_it_dies_and_then_another(hasher: HashProcess) -> None:
    hasher.pbkdf2(*ASKED)
    first = child_of(hasher)
    hasher.pbkdf2(*ASKED)
    assert child_of(hasher) == first

    os.kill(first, signal.SIGKILL)
    assert hasher.pbkdf2(*ASKED) == RIGHT
    assert child_of(hasher) != first


def test_where_no_process_can_be_started_passwords_are_hashed_all_the_same(
    hasher: HashProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")

    assert hasher.pbkdf2(*ASKED) == RIGHT


def test_a_parent_that_is_gone_takes_its_child_along(hasher: HashProcess) -> None:
    hasher.pbkdf2(*ASKED)
    child = hasher._child
    assert child is not None
    assert child.stdin is not None

    child.stdin.close()  # as the system does for who is killed

    wait_until(lambda: child.poll() == 0, what="the child has ended")


def test_a_line_is_a_question() -> None:
    answers = io.BytesIO()

    serve(io.BytesIO(f"{ASKED[0].hex()}:{ASKED[1].hex()}:1000\n::1\n".encode("ascii")), answers)

    empty = hashlib.pbkdf2_hmac("sha256", b"", b"", 1)
    assert answers.getvalue().decode("ascii").splitlines() == [RIGHT.hex(), empty.hex()]
