"""Reads a vote request: voter, origin of the form, and choice, without querying any store.

It applies the same checks as every other request: identity, revocation, origin and CSRF come from `identity/`.
"""

import time
from typing import NamedTuple

from vote.casting.ballot_form import BallotForm
from vote.errors import InvalidInput, NoSuchOption
from vote.identity import csrf
from vote.identity.authenticator import Authenticator, Identity
from vote.identity.csrf import Header
from vote.identity.sessions import Session, SessionCookie
from vote.services.container import Services

CHOICE_MAX_CHARS = 1  # option keys are a … z
RENEW_AFTER_S = 1.0  # a session's cookie has the time of the last request to the second


class VoteRequest(NamedTuple):
    """A vote request of an authenticated voter. `session` is empty for a bearer token."""

    competition: int
    who: Identity
    choice: str | None
    session: Session

    def checked_choice(self) -> str:
        """Return the choice if it has the form of an option key. Raises InvalidInput, NoSuchOption."""
        if not self.choice:
            raise InvalidInput({"vote": "Choose one of the options."}, "No option was chosen. Nothing was stored.")
        if len(self.choice) > CHOICE_MAX_CHARS or not "a" <= self.choice <= "z":
            raise NoSuchOption("This competition has no such option. Nothing was stored; choose one that is listed.")
        return self.choice


class VoteRequestReader:
    """Reads vote requests for one process."""

    def __init__(self, services: Services, authenticator: Authenticator, cookie: SessionCookie) -> None:
        self._settings = services.settings
        self._authenticator = authenticator
        self._cookie = cookie
        self._csrf_keys = csrf.keys_of(services.settings)

    def read(self, competition: int, header: Header, form: BallotForm) -> VoteRequest:
        """Authenticate the voter and check that the form is ours. Raises NotLoggedIn, ForgedForm, Unavailable."""
        now = time.time()
        authorization = header("authorization")
        if authorization is not None:
            who = self._authenticator.by_bearer(authorization.encode("latin-1"), now=now)
            return VoteRequest(competition, who, form.vote, {})
        session = self._cookie.read(header("cookie") or "")
        who = self._authenticator.by_session(session, now=now)
        csrf.check_same_origin(header, self._settings)
        csrf.check_csrf(self._csrf_keys, session["sid"], form.csrf_token or header("x-csrf-token"))
        return VoteRequest(competition, who, form.vote, session)

    def renewed(self, vote: VoteRequest) -> list[tuple[bytes, bytes]]:
        """Return the Set-Cookie header that renews the session, because voting is activity; empty when not due."""
        now, session = time.time(), vote.session
        if vote.who.via != "session" or now - session["seen"] < RENEW_AFTER_S:
            return []
        session["seen"] = now
        return [(b"set-cookie", self._cookie.write(session).encode("ascii"))]


def wants_page(header: Header) -> bool:
    """Return whether the client is a browser that displays the answer, not a script or a client that reads JSON."""
    return csrf.is_browser(header) and "application/json" not in (header("accept") or "")
