"""How the session's cookie is signed."""

import base64
import hmac
import time
import zlib
from typing import Any

import pytest
import time_machine
from flask import Flask

from vote import config
from vote.identity import sessions
from vote.identity.session_codec import SessionCodec
from vote.identity.sessions import SessionCookie

KEY = "n5Jx0bQm8ZrT2wLk7VcY4hDs9GfP1aEu"
SETTINGS = config.load({"FLASK_SECRET_KEY": KEY, "JWT_SECRET": "q3Wv6KzX9tRb1MnC5yHj8LpG0dSf7UeA"})


def signed(payload: bytes, digest: str) -> str:
    """A cookie signed by hand, as itsdangerous does with this digest."""
    derived = hmac.digest(KEY.encode("ascii"), b"cookie-session", digest)
    signature = base64.urlsafe_b64encode(hmac.digest(derived, payload, digest)).rstrip(b"=")
    return f"{SessionCookie(SETTINGS).name}={(payload + b'.' + signature).decode('ascii')}"


def test_a_session_is_signed_with_hmac_sha_256_and_with_nothing_less() -> None:
    cookie = SessionCookie(SETTINGS).write({"sid": "one"}).partition(";")[0]
    payload = cookie.partition("=")[2].rpartition(".")[0].encode("ascii")

    assert signed(payload, "sha256") == cookie
    assert SessionCookie(SETTINGS).read(cookie) == {"sid": "one"}
    assert SessionCookie(SETTINGS).read(signed(payload, "sha1")) == {}


FLASK = Flask(__name__)
FLASK.config.update(SECRET_KEY=KEY, SECRET_KEY_FALLBACKS=[])
FLASKS = sessions.SessionInterface().get_signing_serializer(FLASK)
PLAIN = {"sid": "a" * 22, "uid": 7, "at": 1795546895.25, "seen": 1795546895.25, "unconfirmed": True}
NOT_PLAIN = {"sid": "one", "_flashes": [("message", "Hello")]}


def read(value: str) -> sessions.Session:
    """What the cookie of this value says."""
    return SessionCookie(SETTINGS).read(f"other=1; {SessionCookie(SETTINGS).name}={value}; more=2")


@pytest.mark.parametrize("session", [PLAIN, NOT_PLAIN, {"sid": "one"}, PLAIN | {"padding": "a" * 500}])
def test_flask_and_the_front_door_read_each_other(session: dict[str, Any]) -> None:
    written = SessionCookie(SETTINGS).write(session).partition("=")[2].partition(";")[0]

    assert FLASKS.loads(written, max_age=sessions.ABSOLUTE_S) == session
    assert read(FLASKS.dumps(session)) == session
    assert read(written) == session


def forged(change: str) -> str:
    """A cookie that is not as we wrote it."""
    payload, stamp, signature = FLASKS.dumps(PLAIN).rsplit(".", 2)
    with time_machine.travel(time.time() - sessions.ABSOLUTE_S - 2):
        old = FLASKS.dumps(PLAIN)
    return {
        "another payload": f"{payload[:-2]}AA.{stamp}.{signature}",
        "another time": f"{payload}.AAAA.{signature}",
        "another signature": f"{payload}.{stamp}.{signature[:-2]}AA",
        "no signature": f"{payload}.{stamp}.",
        "no time": f"{payload}.{signature}",
        "two signatures": f"{payload}.{stamp}.{signature}.{signature}",
        "nothing": "",
        "dots": "...",
        "not ASCII": "ä.ä.ä",
        "old": old,
        "a bomb": signed(b"." + base64.urlsafe_b64encode(zlib.compress(b" " * 10_000_000)), "sha256").partition("=")[2],
    }[change]


@pytest.mark.parametrize(
    "change",
    [
        "another payload",
        "another time",
        "another signature",
        "no signature",
        "no time",
        "two signatures",
        "nothing",
        "dots",
        "not ASCII",
        "old",
        "a bomb",
    ],
)
def test_a_forged_session_is_none_for_both_readers(change: str) -> None:
    plain = SessionCodec([KEY], max_age_s=sessions.ABSOLUTE_S)

    assert plain.read(forged(change)) is None
    assert read(forged(change)) == {}


def test_the_key_before_this_one_still_reads_and_no_longer_signs() -> None:
    both = SETTINGS.model_copy(update={"flask_secret_key": "Zk3" + KEY[3:], "flask_secret_key_previous": KEY})
    written = SessionCookie(both).write(PLAIN).partition(";")[0]

    assert SessionCookie(both).read(SessionCookie(SETTINGS).write(PLAIN)) == PLAIN
    assert SessionCookie(SETTINGS).read(written) == {}
