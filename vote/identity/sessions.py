"""The session: Flask's own signed cookie, read and renewed by the front door too without going through Flask.

It is signed with HMAC-SHA256; Flask's default, SHA-1, is for nothing new (ASVS 5.0, 11.4.1 and its appendix C).

It holds a random `sid` (what is revoked and what CSRF tokens are bound to), and once somebody is logged in the user id,
the second of the login and of the last request. 30 minutes without a request end it, 24 hours in any case.
"""

import hashlib
import secrets
from collections.abc import MutableMapping
from typing import Any

from flask import Flask
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode, int_to_bytes, want_bytes

from vote.config import Settings
from vote.identity import cookie_names
from vote.identity.session_codec import SIGNED_BEFORE_S, SessionCodec

IDLE_S = 30 * 60
ABSOLUTE_S = 24 * 3600
SID_BYTES = 16
UNCONFIRMED = "unconfirmed"  # there while the address has to be looked up before voting
BEFORE = "before"  # the sid this browser had until it logged in: a form of then may be sent a second time

Session = MutableMapping[str, Any]


class BackdatedSigner(TimestampSigner):
    """itsdangerous' own, but that it signs SIGNED_BEFORE_S ago.

    It refuses what was signed in the future: another web host whose clock is a little behind would take a fresh cookie for
    none, and give a stranger's in its place.
    """

    def sign(self, value: str | bytes) -> bytes:
        """The value with its time and signature."""
        stamp = base64_encode(int_to_bytes(self.get_timestamp() - SIGNED_BEFORE_S))
        signed = want_bytes(value) + want_bytes(self.sep) + stamp
        return signed + want_bytes(self.sep) + self.get_signature(signed)


class SessionInterface(SecureCookieSessionInterface):
    """Flask's, with the digest and the times of `signer`."""

    digest_method = staticmethod(hashlib.sha256)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Flask's, which signs as `BackdatedSigner` does."""
        serializer = super().get_signing_serializer(app)
        if serializer is not None:
            serializer.signer = BackdatedSigner
        return serializer


def signer(settings: Settings) -> URLSafeTimedSerializer:
    """The serializer of SessionInterface, newest key last as itsdangerous wants it."""
    keys = [key for key in (settings.flask_secret_key_previous, settings.flask_secret_key) if key]
    return URLSafeTimedSerializer(
        keys,
        salt="cookie-session",
        serializer=TaggedJSONSerializer(),
        signer=BackdatedSigner,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


class SessionCookie:
    """Reads and writes the session's cookie as Flask does, for what the front door answers itself."""

    def __init__(self, settings: Settings) -> None:
        self._signer = signer(settings)
        keys = [key for key in (settings.flask_secret_key, settings.flask_secret_key_previous) if key]
        self._plain = SessionCodec(keys, max_age_s=ABSOLUTE_S)
        self._flags = f"{'Secure; ' if settings.vote_cookie_secure else ''}HttpOnly; Path=/; SameSite=Lax"
        self.name = cookie_name(settings)

    def read(self, cookie_header: str) -> Session:
        """The session in a Cookie header; empty when there is none or it was not signed by us."""
        for part in cookie_header.split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.name:
                return self._plain.read(value) or self._read_thoroughly(value)
        return {}

    def _read_thoroughly(self, value: str) -> Session:
        try:
            session: Session = self._signer.loads(value, max_age=ABSOLUTE_S)
        except (BadSignature, ValueError):
            return {}
        return session

    def write(self, session: Session) -> str:
        """The Set-Cookie value that Flask would send for this session."""
        value = self._plain.write(session) or self._signer.dumps(dict(session))
        return f"{self.name}={value!s}; {self._flags}"


def cookie_name(settings: Settings) -> str:
    """What the session's cookie is called."""
    return cookie_names.name_of("session", secure=settings.vote_cookie_secure)


def begin(
    session: Session,
    user_id: int,
    *,
    now: float,
    began: float | None = None,
    confirmed: bool = True,
    sid: str | None = None,
) -> None:
    """Log somebody in: a new sid, so that a planted one gains nothing (OWASP session fixation).

    `began` is when the login did by PostgreSQL's clock, which also says what was ended when (`now` where that is not known).
    `sid`: one that nobody can guess, where a second press is to get the session of the first.
    """
    before = session.get("sid")
    session.clear()
    session.update(sid=sid or new_sid(), uid=user_id, at=now if began is None else began, seen=now)
    if isinstance(before, str):
        session[BEFORE] = before
    if not confirmed:
        session[UNCONFIRMED] = True


def new_sid() -> str:
    """A random name for a session, 128 bits."""
    return secrets.token_urlsafe(SID_BYTES)


def is_alive(session: Session, *, now: float) -> bool:
    """Whether somebody is logged in and neither idle nor absolute time is over. Revocation is not looked at."""
    try:
        idle, age = now - session["seen"], now - session["at"]
        return (
            isinstance(session["uid"], int) and isinstance(session["sid"], str) and idle <= IDLE_S and age <= ABSOLUTE_S
        )
    except (KeyError, TypeError):
        return False
