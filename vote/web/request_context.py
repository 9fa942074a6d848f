"""Who is asking, as far as one request needs to know: identity, account, session, the token of its forms.

Everything is found out at the first question and kept for the rest of the request. Raising and refusing is for
`gate.py`; what a person may do is for `access.py` and `domain/policy.py`.
"""

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from flask import current_app, g, request, session

from vote.actions import logins
from vote.actions.login_throttle import LoginSource
from vote.db import clock, left_addresses, users
from vote.db.users import Account
from vote.domain.folding import username_key
from vote.domain.person import Person
from vote.errors import NotLoggedIn, VoteError
from vote.identity import csrf, devices, idempotency_keys, sessions
from vote.identity.authenticator import Authenticator, Identity
from vote.server import client_address
from vote.server.client_address import Address
from vote.services.container import Services

EXTENSION = "vote"
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def services() -> Services:
    """Return the services of this process."""
    return cast(Services, current_app.extensions[EXTENSION])


def request_id() -> str:
    """The id the front door gave this request; one of our own where there is no front door."""
    given = request.headers.get("X-Request-ID", "")
    if not REQUEST_ID.fullmatch(given):
        given = g.setdefault("request_id", uuid.uuid4().hex)
    return str(given)


def address() -> Address | None:
    """Where the request comes from, behind our own proxies; None from a unix socket without one."""
    return client_address.parse(request.remote_addr or "")


def network() -> str:
    """The network that limits on strangers count for."""
    return client_address.network_of(address())


def sends_bearer() -> bool:
    """Whether the request carries a Bearer token, valid or not: no stranger's page can make a browser send one."""
    return request.headers.get("Authorization", "").lower().startswith("bearer ")


def is_browser() -> bool:
    """Whether the client behaves like a browser."""
    return csrf.is_browser(request.headers.get)


def wants_page() -> bool:
    """Whether the answer should be a page for people; else it is JSON, as for who sends JSON, a token, or asks for it."""
    if request.path.startswith("/api/") or "Authorization" in request.headers or request.is_json:
        return False
    accept = request.headers.get("Accept", "")
    if "application/json" in accept and "text/html" not in accept:
        return False
    return is_browser() or (request.method in ("GET", "HEAD") and "text/html" in accept)


def identity() -> Identity | None:
    """Who is logged in; None for nobody. Raises NotLoggedIn when a token was sent that is not valid."""
    if "identity" not in g:
        g.identity = _identify(time.time())
    return cast("Identity | None", g.identity)


def account() -> Account | None:
    """The account of who is logged in; None for nobody, and for one that is disabled or erased."""
    if "account" not in g:
        g.account = _load()
    return cast("Account | None", g.account)


def person() -> Person | None:
    """The same, as the rules see it."""
    found = account()
    return None if found is None else found.person


def me() -> Account:
    """The account of who is logged in. Raises NotLoggedIn."""
    found = account()
    if found is None:
        raise NotLoggedIn
    return found


def csrf_token() -> str:
    """The token for the forms of this session; gives a stranger a session of their own first."""
    return csrf.csrf_token(csrf.keys_of(services().settings)[0], _sid())


def idempotency_key_for_form() -> str:
    """A key for one form of this session: its second press gets the answer of the first."""
    return idempotency_keys.new_key(idempotency_keys.keys_of(services().settings)[0], _sid())


def _sid() -> str:
    if not isinstance(session.get("sid"), str):
        session["sid"] = sessions.new_sid()
    return cast(str, session["sid"])


def began() -> float:
    """Return when this request first asked for this, by the clock of PostgreSQL. Raises DatabaseUnavailable.

    A login counts from then, so ask before its account is read: what is ended while its password is looked at ends it too.
    Both are told by one clock, since that of this machine may be ahead, and then a token would outlive the log-out that came
    after it (docs/adr/0047).
    """
    if "began" not in g:
        g.began = now_by_database()
    return cast(float, g.began)


def now_by_database() -> float:
    """The time by the clock of PostgreSQL. Raises DatabaseUnavailable."""
    with services().db.read() as tx:
        return clock.now(tx)


def log_in(account: Account, *, began: float, sid: str | None = None, token: str | None = None) -> None:
    """Begin a session for this person that counts from `began`, by the clock of PostgreSQL; this request knows them too.

    The device they use, `token`, or else the one that is known, is told of it.
    """
    is_confirmed = not needs_lookup(account)
    sessions.begin(session, account.id, began=began, now=time.time(), confirmed=is_confirmed, sid=sid)
    forget()
    token = token or device()
    if token is not None:
        name = devices.name_of(request.headers.get("User-Agent", ""))
        logins.remember_device(
            services().db, services().login_throttle, account, token=token, device=name, session=session["sid"]
        )


def session_id() -> str | None:
    """The sid of the session that asks."""
    found = session.get("sid")
    return found if isinstance(found, str) else None


def own_device(account: Account) -> bytes | None:
    """How this device is listed for this account, when it is a device at all."""
    token = device()
    return None if token is None else services().login_throttle.device_hash(token, account.username)


def is_confirmed(account: Account) -> bool:
    """Whether this account may vote as far as its e-mail address is concerned."""
    return account.confirmed_at is not None or not services().settings.email_confirmation


def needs_lookup(account: Account) -> bool:
    """Whether the address of this account has to be looked up before each vote (`identity/email_confirmation.py`)."""
    if not is_confirmed(account):
        return True
    if not services().settings.email_confirmation:
        return False
    with services().db.read() as tx:
        return left_addresses.is_of(tx, account.id)


def device() -> str | None:
    """The token of the device, when it is one that somebody has logged in with before."""
    return devices.token_of(request, services().settings)


def login_source() -> LoginSource:
    """Where a login comes from, as far as it is counted."""
    return LoginSource(network(), device())


@contextmanager
def password_counted(username: str) -> Iterator[None]:
    """Count a right password of this account, before it costs a hash; a wrong one is taken out again, and counts elsewhere.

    Raises TooManyRequests: whoever has the password could have all passwords wait for theirs.
    """
    subject = services().login_throttle.subject("right password", username_key(username)).hex()
    limit = services().rate_limits.logins
    services().rate_limiter.acquire(limit, subject)
    try:
        yield
    except VoteError:
        services().rate_limiter.refund(limit, subject)
        raise


def check_mail_limit() -> None:
    """Count a mail that somebody asks for. Raises TooManyRequests for an account, or a stranger's network, asking often."""
    who = identity()
    services().rate_limiter.acquire(services().rate_limits.mails, f"user:{who.user_id}" if who else network())


def log_out() -> None:
    """End the session of this browser; `gate.py` has it drop what its pages kept, such as a choice that was on its way."""
    session.clear()
    forget()
    g.has_left = True


def forget() -> None:
    """Find out anew who is asking: the session has just changed."""
    g.pop("identity", None)
    g.pop("account", None)


def _identify(now: float) -> Identity | None:
    identifier = Authenticator(services().settings, services().revocations)
    if "Authorization" in request.headers:
        return identifier.by_bearer(request.headers["Authorization"].encode("utf-8", "replace"), now=now)
    if "uid" not in session:
        return None
    try:
        found = identifier.by_session(session, now=now)
    except NotLoggedIn:
        return None  # it ended; whoever needs it to be alive asks for somebody who is logged in
    if now - session["seen"] >= 1:
        session["seen"] = now
    return found


def _load() -> Account | None:
    who = identity()
    if who is None:
        return None
    with services().db.read() as tx:
        found = users.find(tx, who.user_id)
    if found is None or found.disabled_at is not None:
        return None
    if sessions.UNCONFIRMED in session and not needs_lookup(found):
        del session[sessions.UNCONFIRMED]  # from now on nobody has to be asked
    return found
