"""Authenticate a bearer token or a session. Flask and the front door share this code, so they give the same answer."""

from typing import Literal, NamedTuple

from vote.auth import UNCONFIRMED
from vote.config import Settings
from vote.errors import NotLoggedIn
from vote.identity import bearer_tokens, sessions
from vote.identity.revocations import RevocationList
from vote.identity.sessions import Session


class Identity(NamedTuple):
    """A logged-in account. `subject` is what a logout revokes: `jti:…` or `sid:…`. Where EMAIL_CONFIRMATION is on, one that
    is not `confirmed` is looked up before voting (`email_confirmation.py`).
    """

    user_id: int
    via: Literal["bearer", "session"]
    subject: str
    confirmed: bool = True


class Authenticator:
    """Read identities for one process."""

    def __init__(self, settings: Settings, revoked: RevocationList) -> None:
        previous = settings.jwt_secret_previous
        self._secrets = [secret.encode("utf-8") for secret in (settings.jwt_secret, previous) if secret]
        self._revoked = revoked

    def by_bearer(self, authorization: bytes, *, now: float) -> Identity:
        """Return the identity of an Authorization header. Raises NotLoggedIn; Unavailable when revocations are not known."""
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise NotLoggedIn("Send the token as `Authorization: Bearer <token>`.")
        claims = bearer_tokens.read_own_token(token.strip(), secrets=self._secrets, now=now)
        subject = f"jti:{claims.jti}"
        self._revoked.check(subject, user_id=claims.user_id, began=claims.issued_at)
        return Identity(claims.user_id, "bearer", subject, confirmed=not claims.jti.startswith(UNCONFIRMED))

    def by_session(self, session: Session, *, now: float) -> Identity:
        """Return the identity of a session. Raises NotLoggedIn; Unavailable when revocations are not known."""
        if not sessions.is_alive(session, now=now):
            raise NotLoggedIn("Log in first." if "uid" not in session else "Your session has expired. Log in again.")
        subject = f"sid:{session['sid']}"
        self._revoked.check(subject, user_id=session["uid"], began=session["at"])
        return Identity(session["uid"], "session", subject, confirmed=sessions.UNCONFIRMED not in session)
