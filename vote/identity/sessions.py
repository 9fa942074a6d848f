"""The session: Flask's own signed cookie, which the front door reads and renews without Flask.

It is signed with HMAC-SHA256; Flask's default, SHA-1, must not be used in new systems (ASVS 5.0, 11.4.1 and appendix C).

It holds a random `sid` (the subject of revocations and CSRF tokens) and, after a login, the user id and the times of the
login and of the last request. It expires after 30 minutes without a request, and after 24 hours in any case.
"""

import hashlib
import secrets
from collections.abc import MutableMapping, Sequence
from typing import Any

from flask import Flask
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode, int_to_bytes, want_bytes

from vote.config import Settings
from vote.identity.session_codec import SIGNED_BEFORE_S, SessionCodec

IDLE_S = 30 * 60
ABSOLUTE_S = 24 * 3600
SID_BYTES = 16
UNCONFIRMED = "unconfirmed"  # set while the email address has to be looked up before voting
BEFORE = "before"  # this browser's sid before it logged in: a form rendered then may be submitted again
SECURE_PREFIX = "__Host-"

Session = MutableMapping[str, Any]


class BackdatedSigner(TimestampSigner):
    """itsdangerous' TimestampSigner, with timestamps SIGNED_BEFORE_S in the past.

    itsdangerous refuses signatures from the future: a web host whose clock is slightly behind would discard a fresh cookie
    and replace it with an anonymous session.
    """

    def sign(self, value: str | bytes) -> bytes:
        """Return the value with its timestamp and signature."""
        stamp = base64_encode(int_to_bytes(self.get_timestamp() - SIGNED_BEFORE_S))
        signed = want_bytes(value) + want_bytes(self.sep) + stamp
        return signed + want_bytes(self.sep) + self.get_signature(signed)


class SessionInterface(SecureCookieSessionInterface):
    """Flask's session interface, with the serializer that the front door uses too."""

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer:
        """Return the serializer for the app's keys."""
        return serializer_of([app.config["SECRET_KEY"], *app.config["SECRET_KEY_FALLBACKS"]])


def serializer_of(keys: Sequence[str]) -> URLSafeTimedSerializer:
    """Return Flask's serializer of sessions with another digest and `BackdatedSigner`; keys are newest first."""
    return URLSafeTimedSerializer(
        keys[::-1],  # itsdangerous signs with the last
        salt="cookie-session",
        serializer=TaggedJSONSerializer(),
        signer=BackdatedSigner,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


class SessionCookie:
    """Read and write the session cookie as Flask does, for requests that the front door answers itself."""

    def __init__(self, settings: Settings) -> None:
        self._serializer = serializer_of(settings.flask_secret_keys)
        self._codec = SessionCodec(settings.flask_secret_keys, max_age_s=ABSOLUTE_S)
        self._flags = f"{'Secure; ' if settings.vote_cookie_secure else ''}HttpOnly; Path=/; SameSite=Lax"
        self.name = cookie_name(settings)

    def read(self, cookie_header: str) -> Session:
        """Return the session in a Cookie header; empty when there is none or we did not sign it."""
        for part in cookie_header.split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.name:
                return self._codec.read(value) or self._read_slow(value)
        return {}

    def _read_slow(self, value: str) -> Session:
        try:
            session: Session = self._serializer.loads(value, max_age=ABSOLUTE_S)
        except (BadSignature, ValueError):
            return {}
        return session

    def write(self, session: Session) -> str:
        """Return the Set-Cookie value that Flask would send for this session."""
        value = self._codec.write(session) or self._serializer.dumps(dict(session))
        return f"{self.name}={value!s}; {self._flags}"


def cookie_name(settings: Settings, name: str = "session") -> str:
    """Return the full name of one of our cookies. Browsers accept `__Host-` (RFC 6265bis §4.1.3.2) only from this exact host
    over a secure connection, so a neighbour under the same domain cannot plant one; without Secure they refuse it.
    """
    return SECURE_PREFIX + name if settings.vote_cookie_secure else name


def begin(
    session: Session,
    user_id: int,
    *,
    now: float,
    began: float | None = None,
    confirmed: bool = True,
    sid: str | None = None,
) -> None:
    """Log an account in under a new sid, so that a planted one gains nothing (OWASP, session fixation).

    `began` is when the login began by PostgreSQL's clock, which also dates revocations (default: `now`). `sid` is an
    unguessable id to use, where a repeated submission must get the session of the first.
    """
    before = session.get("sid")
    session.clear()
    session.update(sid=sid or new_sid(), uid=user_id, at=now if began is None else began, seen=now)
    if isinstance(before, str):
        session[BEFORE] = before
    if not confirmed:
        session[UNCONFIRMED] = True


def new_sid() -> str:
    """Return a random session id of 128 bits."""
    return secrets.token_urlsafe(SID_BYTES)


def is_alive(session: Session, *, now: float) -> bool:
    """Return whether an account is logged in and neither time limit has passed. Does not check revocations."""
    try:
        idle, age = now - session["seen"], now - session["at"]
        return (
            isinstance(session["uid"], int) and isinstance(session["sid"], str) and idle <= IDLE_S and age <= ABSOLUTE_S
        )
    except (KeyError, TypeError):
        return False
