"""Who is it? A Bearer token or a session, alive and not revoked. The same answer for Flask and the front door."""

from typing import Literal, NamedTuple

from vote.auth import UNCONFIRMED
from vote.config import Settings
from vote.errors import NotLoggedIn
from vote.identity import bearer_tokens, sessions
from vote.identity.revocations import RevocationList
from vote.identity.sessions import Session


class Identity(NamedTuple):
    """Somebody who is logged in. `subject` is what a log-out revokes: `jti:…` or `sid:…`. Who is not `confirmed` is
    looked up before voting, where EMAIL_CONFIRMATION is on (`confirmed.py`).
    """

    user_id: int
    via: Literal["bearer", "session"]
    subject: str
    confirmed: bool = True


class Authenticator:
    """Reads identities for one process."""

    def __init__(self, settings: Settings, revoked: RevocationList) -> None:
        previous = settings.jwt_secret_previous
        self._secrets = [secret.encode("utf-8") for secret in (settings.jwt_secret, previous) if secret]
        self._revoked = revoked

    def by_bearer(self, authorization: bytes, *, now: float) -> Identity:
        """From an Authorization header. Raises NotLoggedIn."""
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise NotLoggedIn("Send the token as `Authorization: Bearer <token>`.")
        read = bearer_tokens.read_own_token(token.strip(), secrets=self._secrets, now=now)
        subject = f"jti:{read.jti}"
        self._revoked.check(subject, user_id=read.user_id, began=read.issued_at)
        return Identity(read.user_id, "bearer", subject, confirmed=not read.jti.startswith(UNCONFIRMED))

    def by_session(self, session: Session, *, now: float) -> Identity:
        """From a session. Raises NotLoggedIn."""
        if not sessions.is_alive(session, now=now):
            raise NotLoggedIn("Log in first." if "uid" not in session else "You were away for a while. Log in again.")
        subject = f"sid:{session['sid']}"
        self._revoked.check(subject, user_id=session["uid"], began=session["at"])
        return Identity(session["uid"], "session", subject, confirmed=sessions.UNCONFIRMED not in session)
