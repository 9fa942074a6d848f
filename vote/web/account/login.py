"""Registering, logging in and logging out: one view each, with forms for browsers and tokens for API clients.

A browser gets a session and a redirect (303); an API client gets a token and no cookie. `api/me.py` and `page.py` have
what people can do with their account afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import accounts as actions
from vote.actions import logins, mailed_links
from vote.actions.login_throttle import LoginAttempt
from vote.db.idempotency_keys import Claim
from vote.db.users import Account
from vote.errors import HasherBusy, InvalidInput, NameTaken, NotLoggedIn, TooManyGuesses, TooManyRequests, VoteError
from vote.identity import devices
from vote.identity.authenticator import Identity
from vote.input_limits import PASSWORD_MAX_CHARS
from vote.metrics.logins import LOGINS
from vote.web import errors, idempotency, request_context, validation
from vote.web.access import UNASKED, rule
from vote.web.api.account_models import Login, Registered, Registration, Token
from vote.web.api.models import Nothing
from vote.web.api.operations import Operation, answer
from vote.web.safe_redirect import local_path
from vote.web.tokens import issue

accounts = Blueprint("accounts", __name__)
logger = structlog.get_logger()

HOME = "/"
DONE = {
    "reset": "Your password is changed. Log in with the new one.",
    "deleted": "Your account is deleted. Your votes still count but carry no name.",
}


@accounts.get("/register")
@rule(UNASKED)
def register_page() -> AnyResponse | str:
    """Show the form; redirect people who are logged in."""
    return _form_or_onwards("register.html")


@accounts.get("/login")
@rule(UNASKED)
def login_page() -> AnyResponse | str:
    """Show the form; redirect people who are logged in."""
    return _form_or_onwards("login.html")


@accounts.post("/register")
@rule(UNASKED)
@Operation(tag="accounts", body=Registration, answers={201: Registered}, problems=(409, 429))
def register() -> AnyResponse:
    """Register.

    Creates an account that can vote, and returns its first token.
    """
    once = idempotency.claim(HOME)
    try:
        account = _register(once)
    except (InvalidInput, NameTaken, TooManyRequests, HasherBusy) as error:
        return _form_again("register.html", error)
    if request_context.wants_page():
        return _onwards_as(account, once)
    return answer(Registered(token=_token(account), user=account), 201)


@accounts.post("/login")
@rule(UNASKED)
@Operation(tag="accounts", body=Login, answers={200: Token}, problems=(401, 429))
def login() -> AnyResponse:
    """Log in.

    The answer is the same, and takes as long, whether the username is unknown or the password is wrong. 429: too many
    wrong passwords, or too many logins; this one was not checked. See `Retry-After`.
    """
    once = idempotency.claim(HOME)
    try:
        with once.hold(request_context.services().db):
            account = _check_login(once)
    except (InvalidInput, NotLoggedIn, TooManyRequests, HasherBusy) as error:
        return _form_again("login.html", error)
    return _onwards_as(account, once) if request_context.wants_page() else answer(Token(token=_token(account)))


@accounts.post("/logout")
@rule(UNASKED)
@Operation(tag="accounts", body=Nothing, answers={204: None}, problems=(401,))
def logout() -> AnyResponse:
    """Log out.

    Revokes the token or session that was sent, everywhere within a second.
    """
    who = request_context.identity()
    if who is None and not request_context.wants_page():  # for a page, a session that has already ended is no error
        raise NotLoggedIn
    once = idempotency.claim(HOME)
    if who is not None:
        _end(who, once)
    else:
        once.note(request_context.services().db)
    request_context.log_out()
    return idempotency.done(once)


def _end(who: Identity, once: Claim | None = None) -> None:
    """Revoke this token or session: here at once, everywhere within a second."""
    services = request_context.services()
    actions.revoke(services.db, by=who.user_id, subject=who.subject, once=once)
    services.revocations.add(who.subject)
    logger.info("logged out", user_id=who.user_id, via=who.via)


def _register(once: Claim) -> Account:
    wanted = validation.read(Registration)
    services = request_context.services()
    mailed_links.check_mailable(wanted.email, services.settings.smtp_url)
    services.rate_limiter.acquire(services.rate_limits.registrations, request_context.network())
    account = actions.register(
        services.db,
        services.hasher,
        username=wanted.username,
        email=wanted.email,
        password=wanted.password,
        confirm=services.settings.email_confirmation,
        once=once,
    )
    logger.info("registered", user_id=account.id)
    return account


def _check_login(once: Claim) -> Account:
    given = validation.read(Login)
    services = request_context.services()
    services.hasher.check_free()  # first, so that a flood of logins costs as little as possible
    request_context.began()  # before the account is read
    # An impossible name or password takes as long as a wrong one.
    name = given.username if given.username.isprintable() else ""
    password = given.password if len(given.password) <= PASSWORD_MAX_CHARS else ""
    try:
        attempt = services.login_throttle.at_login(name, request_context.login_source())
        with request_context.password_counted(name), _failures_counted(attempt):
            account = logins.check_login(
                services.db,
                services.hasher,
                services.login_throttle,
                attempt,
                username=name,
                password=password,
                once=once,
            )
    except (NotLoggedIn, TooManyRequests) as error:
        if not isinstance(error, NotLoggedIn | TooManyGuesses):  # those are counted where their cause is known
            LOGINS.labels("delayed").inc()
        logger.info("login refused", why=type(error).__name__)
        raise
    logger.info("logged in", user_id=account.id)
    return account


@contextmanager
def _failures_counted(attempt: LoginAttempt) -> Iterator[None]:
    """Count a failure against the network before the result is known; a known device does not count against one."""
    services = request_context.services()
    if attempt.by_device:
        yield
        return
    services.rate_limiter.acquire(services.rate_limits.login_failures, request_context.network())
    failed = False
    try:
        yield
    except (NotLoggedIn, TooManyRequests):
        failed = True
        raise
    finally:
        if not failed:
            services.rate_limiter.refund(services.rate_limits.login_failures, request_context.network())


def _token(account: Account) -> str:
    return issue(request_context.services(), account.id, confirmed=not request_context.needs_lookup(account))


def _onwards_as(account: Account, once: Claim) -> AnyResponse:
    """Log a browser in, remember its device, and redirect."""
    sid, new_token = idempotency.names_given(once)
    token = request_context.device() or new_token or devices.new_token()
    if (before := request_context.identity()) is not None:  # end the session that was logged in here
        _end(before)
    request_context.log_in(account, began=request_context.began(), sid=sid, token=token)
    response = _onwards()
    devices.set_cookie(response, token, request_context.services().settings)
    return response


def _onwards() -> AnyResponse:
    return redirect(local_path(request.values.get("next")) or HOME, 303)


def _form_or_onwards(template: str) -> AnyResponse | str:
    if request_context.person() is not None:
        return _onwards()
    done = DONE.get(request.args.get("done", ""))
    return render_template(template, values={}, next=local_path(request.args.get("next")), done=done)


def _form_again(template: str, error: VoteError) -> AnyResponse:
    """Show the form again with its errors and everything typed except passwords."""
    values = {name: request.form.get(name, "") for name in ("username", "email")}
    return errors.form_again(template, error, values=values, next=local_path(request.form.get("next")))
