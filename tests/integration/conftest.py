"""Passwords that cost little: what a hash costs is the matter of `tests/unit/test_auth.py` and `test_hash_process.py`."""

import hashlib
from collections.abc import Iterator

import pytest

from vote.hash_process import HashProcess

CHEAPER = 1_000  # times


@pytest.fixture(autouse=True, scope="package")
def _cheap_passwords() -> Iterator[None]:
    """Derive with a thousandth of the rounds, in this process: hashes are written and read as ever."""
    derive = hashlib.pbkdf2_hmac

    def cheap(name: str, password: bytes, salt: bytes, rounds: int) -> bytes:
        return derive(name, password, salt, -(-rounds // CHEAPER))

    def in_process(_process: HashProcess, password: bytes, salt: bytes, rounds: int) -> bytes:
        return cheap("sha256", password, salt, rounds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "pbkdf2_hmac", cheap)
        patch.setattr(HashProcess, "pbkdf2", in_process)
        yield
