"""Decides who may open a socket: a valid address, one of our own pages, a person who may see the results.

A browser sends cookies with a handshake from any page, so cookies count only if Origin is one of our own pages.
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import structlog

from vote.db import users, votes
from vote.db.users import Account
from vote.domain import policy
from vote.domain.competition import Competition
from vote.domain.ids import is_id
from vote.domain.person import Person
from vote.errors import LogUnavailable, NoSuchCompetition, NotAllowed, NotLoggedIn, Unavailable
from vote.identity import csrf
from vote.identity.authenticator import Authenticator, Identity
from vote.identity.csrf import Header, header_of
from vote.identity.sessions import SessionCookie
from vote.live.messages import KINDS, CompetitionView, Kind
from vote.live.tally_poller import TallyPoller
from vote.server.raw_response import Scope
from vote.services.container import Services

LIVE_PATH = re.compile(r"/live/([1-9][0-9]{0,15})", re.ASCII)
FOREIGN_PAGE = "This site is not allowed to show live results from here."
LOOKUPS_AT_ONCE = 3  # threads are few and the feed needs one; after an outage everyone comes back at once

logger = structlog.get_logger()


@dataclass(slots=True)
class Viewer:
    """The person behind a socket. `check_login` raises NotLoggedIn once their login has ended; None: nobody is logged in."""

    check_login: Callable[[float], Identity] | None = None
    person: Person | None = None
    has_voted: bool = False
    account: int | None = None

    def may_see(self, competition: Competition, kind: Kind) -> bool:
        """Return whether this person may see this kind of message; without figures, seeing the competition is enough."""
        if kind == "state":
            return policy.can_see(self.person, competition)
        return policy.can_see_results(self.person, competition, has_voted=self.has_voted)


class Admitted(NamedTuple):
    """A person who may watch, and the first message for them."""

    viewer: Viewer
    view: CompetitionView
    kind: Kind


class Admission:
    """Checks the handshakes of one process."""

    def __init__(
        self, services: Services, authenticator: Authenticator, cookie: SessionCookie, feed: TallyPoller
    ) -> None:
        self._services = services
        self._authenticator = authenticator
        self._cookie = cookie
        self._feed = feed
        self._lookups = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def admit(self, scope: Scope) -> Admitted:
        """Admit a handshake. Raises NotFound, NotAllowed, NotLoggedIn (for an invalid token) or Unavailable."""
        competition, kind = competition_of(scope["path"]), kind_of(scope.get("query_string", b""))
        header = header_of(scope)
        from_page = self._check_origin(scope, header)
        viewer = self._identify(header, with_cookies=from_page)
        user_id = viewer.account
        if header("authorization") is not None and user_id is not None:
            async with self._lookups:
                await asyncio.to_thread(self._check_account, user_id)
        view = await self._view(competition)
        if user_id is not None and not viewer.may_see(view.competition, kind):
            async with self._lookups:
                viewer.person, viewer.has_voted = await asyncio.to_thread(self._look_up, user_id, view.competition)
            view = await self._view(competition)  # it may have changed meanwhile
        policy.check_see(viewer.person, view.competition)
        if kind != "state":
            policy.check_see_results(viewer.person, view.competition, has_voted=viewer.has_voted)
        return Admitted(viewer, view, kind)

    async def _view(self, competition: int) -> CompetitionView:
        view = await self._feed.view(competition)
        if view is None:
            raise NoSuchCompetition
        return view

    def _check_origin(self, scope: Scope, header: Header) -> bool:
        """Return True for a page of ours, False for a client without Origin. Raises NotAllowed for another site's page."""
        given = [value for name, value in scope["headers"] if name == b"origin"]
        if not given:
            return False
        # A page cannot set this header, and a client that can needs no forged Origin: trusting it here is safe.
        forwarded = (header("x-forwarded-proto") or "").partition(",")[0].strip().lower()
        is_secure = scope.get("scheme") == "wss" or forwarded in ("https", "wss")
        host, public_url = header("host"), self._services.settings.public_url
        hosts = csrf.allowed_hosts(self._services.settings, host)
        if len(given) > 1 or not is_own_page(given[0].decode("latin-1"), hosts, is_secure, public_url):
            logger.warning("access refused", why=NotAllowed.__name__, reason=FOREIGN_PAGE, endpoint="live")
            raise NotAllowed(FOREIGN_PAGE)
        return True

    def _identify(self, header: Header, *, with_cookies: bool) -> Viewer:
        authorization = header("authorization")
        if authorization is not None:
            given = authorization.encode("latin-1")
            return _viewer(lambda now: self._authenticator.by_bearer(given, now=now))
        session = self._cookie.read(header("cookie") or "") if with_cookies else {}
        try:
            return _viewer(lambda now: self._authenticator.by_session(session, now=now))
        except NotLoggedIn:  # nobody, or logged out: they may still see what anyone may see
            return Viewer()

    def _check_account(self, user_id: int) -> None:
        """Raise NotLoggedIn for a token whose account does not exist: a database may have lost it."""
        with self._services.db.read() as tx:
            if person_of(users.find(tx, user_id)) is None:
                raise NotLoggedIn

    def _look_up(self, user_id: int, competition: Competition) -> tuple[Person | None, bool]:
        with self._services.db.read() as tx:
            account = users.find(tx, user_id)
            has_voted = votes.choice_of(tx, competition.id, user_id) is not None
        if not has_voted and competition.results_visibility == "after_vote":
            try:
                has_voted = self._services.log.stored_choice(competition.id, user_id) is not None
            except LogUnavailable:
                raise Unavailable("We can't check right now whether you have voted. Try again in a moment.") from None
        return person_of(account), has_voted


def _viewer(check_login: Callable[[float], Identity]) -> Viewer:
    return Viewer(check_login, account=check_login(time.time()).user_id)


def person_of(account: Account | None) -> Person | None:
    """Return the person of an account that may act; None for one that is missing, erased or disabled."""
    return account.person if account is not None and account.disabled_at is None else None


def competition_of(path: str) -> int:
    """Parse the id in `/live/<id>`. Raises NotFound."""
    found = LIVE_PATH.fullmatch(path)
    if found is None or not is_id(int(found[1])):
        raise NoSuchCompetition
    return int(found[1])


def kind_of(query: bytes) -> Kind:
    """Return the kind of message that `?kind=` names; figures when it names none."""
    wanted = parse_qs(query.decode("latin-1")).get("kind", [""])[-1]
    return next((kind for kind in KINDS if kind == wanted), "figures")


def is_own_page(given: str, hosts: list[str], is_secure: bool, public_url: str | None) -> bool:
    """Return whether an Origin is that of PUBLIC_URL or of the requested host, scheme and port included (RFC 6454 §4)."""
    schemes = dict.fromkeys(hosts, "https" if is_secure else "http")
    if public_url is not None:
        public = urlsplit(public_url)
        schemes[public.netloc.lower()] = public.scheme
    return given.lower() in [f"{scheme}://{host}" for host, scheme in schemes.items()]
