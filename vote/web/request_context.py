"""Knows who makes the request: identity, account, session, CSRF token.

Everything is looked up on first use and kept for the rest of the request. `request_guards.py` refuses; `access.py` and
`domain/policy.py` decide what people may do.
"""

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from flask import current_app, g, request, session

from vote import networks
from vote.actions import logins
from vote.actions.login_throttle import LoginSource
from vote.db import clock, left_addresses, users
from vote.db.users import Account
from vote.domain.folding import username_key
from vote.domain.person import Person
from vote.errors import NotLoggedIn, VoteError
from vote.identity import csrf, devices, idempotency_keys, sessions
from vote.identity.authenticator import Authenticator, Identity
from vote.networks import Address
from vote.server import client_address
from vote.services.container import Services

EXTENSION = "vote"
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def services() -> Services:
    """Return the services of this process."""
    return cast(Services, current_app.extensions[EXTENSION])


def request_id() -> str:
    """Return the id that the front door gave this request; a new one without the front door."""
    given = request.headers.get("X-Request-ID", "")
    if not REQUEST_ID.fullmatch(given):
        given = g.setdefault("request_id", uuid.uuid4().hex)
    return str(given)


def address() -> Address | None:
    """Return the client's address behind our own proxies; None for a Unix socket without one."""
    return networks.parse(request.remote_addr or "")


def network() -> str:
    """Return the network that limits on strangers count."""
    return client_address.network_of(address())


def sends_bearer() -> bool:
    """Return whether the request has a Bearer token, valid or not: no other site's page can make a browser send one."""
    return request.headers.get("Authorization", "").lower().startswith("bearer ")


def is_browser() -> bool:
    """Return whether the client behaves like a browser."""
    return csrf.is_browser(request.headers.get)


def wants_page() -> bool:
    """Return whether to answer with a page. Clients that send JSON or a token, or ask for JSON, get JSON."""
    if request.path.startswith("/api/") or "Authorization" in request.headers or request.is_json:
        return False
    accept = request.headers.get("Accept", "")
    if "application/json" in accept and "text/html" not in accept:
        return False
    return is_browser() or (request.method in ("GET", "HEAD") and "text/html" in accept)


def identity() -> Identity | None:
    """Return who is logged in; None for nobody. Raises NotLoggedIn for an invalid token."""
    if "identity" not in g:
        g.identity = _identify(time.time())
    return cast("Identity | None", g.identity)


def known_identity() -> Identity | None:
    """Return who is logged in as far as this request has asked; never raises."""
    return cast("Identity | None", g.get("identity"))


def account() -> Account | None:
    """Return the logged-in account; None without one, and for a disabled or erased one."""
    if "account" not in g:
        g.account = _load()
    return cast("Account | None", g.account)


def person() -> Person | None:
    """Return the logged-in account as the rules see it."""
    found = account()
    return None if found is None else found.person


def me() -> Account:
    """Return the logged-in account. Raises NotLoggedIn."""
    found = account()
    if found is None:
        raise NotLoggedIn
    return found


def csrf_token() -> str:
    """Return the CSRF token of this session; begins a session for a visitor without one."""
    return csrf.csrf_token(csrf.keys_of(services().settings)[0], _sid())


def idempotency_key_for_form() -> str:
    """Return a new key for a form of this session: its second press gets the answer of the first."""
    return idempotency_keys.new_key(idempotency_keys.keys_of(services().settings)[0], _sid())


def _sid() -> str:
    sid = session_id()
    if sid is None:
        sid = session["sid"] = sessions.new_sid()
    return sid


def began() -> float:
    """Return when this request first called this, by PostgreSQL's clock. Raises DatabaseUnavailable.

    A login counts from then, so call it before the account is read: everything revoked while its password is checked
    ends it too. One clock serves both, because this machine's may be ahead, and then a token would outlive the
    revocation that follows it (docs/adr/0047).
    """
    if "began" not in g:
        g.began = now_by_database()
    return cast(float, g.began)


def now_by_database() -> float:
    """Return the time by PostgreSQL's clock. Raises DatabaseUnavailable."""
    with services().db.read() as tx:
        return clock.now(tx)


def log_in(account: Account, *, began: float, sid: str | None = None, token: str | None = None) -> None:
    """Begin a session for this person that counts from `began`, by PostgreSQL's clock; this request is logged in too.

    Records the login on the device `token`, or on the known one.
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
    """Return the sid of this session."""
    found = session.get("sid")
    return found if isinstance(found, str) else None


def own_device(account: Account) -> bytes | None:
    """Return the hash under which this device is listed for this account; None if it is not a device."""
    token = device()
    return None if token is None else services().login_throttle.device_hash(token, account.username)


def is_confirmed(account: Account) -> bool:
    """Return whether this account may vote as far as its email address is concerned."""
    return account.confirmed_at is not None or not services().settings.email_confirmation


def needs_lookup(account: Account) -> bool:
    """Return whether this account's address must be looked up before each vote (`identity/email_confirmation.py`)."""
    if not is_confirmed(account):
        return True
    if not services().settings.email_confirmation:
        return False
    with services().db.read() as tx:
        return left_addresses.is_of(tx, account.id)


def device() -> str | None:
    """Return the token of this device, if someone has logged in on it before."""
    return devices.token_of(request, services().settings)


def login_source() -> LoginSource:
    """Return the source that a login here counts against."""
    return LoginSource(network(), device())


@contextmanager
def password_counted(username: str) -> Iterator[None]:
    """Count a correct password of this account before it costs a hash; a wrong one is refunded and counts elsewhere.

    Raises TooManyRequests: otherwise someone who has the password could make all others wait for the hasher.
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
    """Count a requested mail. Raises TooManyRequests when an account, or a stranger's network, requests too many."""
    who = identity()
    services().rate_limiter.acquire(services().rate_limits.mails, f"user:{who.user_id}" if who else network())


def log_out() -> None:
    """End this browser's session; `request_guards.py` has it drop stored page data, such as an unsent choice."""
    session.clear()
    forget()
    g.has_left = True


def forget() -> None:
    """Forget who makes the request, because the session has just changed."""
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
        return None  # it has ended; callers that need a login check for one
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
        del session[sessions.UNCONFIRMED]  # no further lookup is needed
    return found
