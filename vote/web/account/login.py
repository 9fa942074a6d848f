"""Registering, logging in and out: pages with forms for browsers, tokens for API clients, one view each for both.

A browser gets a session and is sent on (303); an API client gets a token and no cookie. What a person may do with the
account afterwards is in `me.py` and `account_page.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import accounts as actions
from vote.actions import logins, mailed_links
from vote.actions.login_throttle import LoginAttempt
from vote.db.idempotency_keys import Claim
from vote.db.users import Account
from vote.errors import HasherBusy, InvalidInput, NameTaken, NotLoggedIn, TooManyRequests, VoteError
from vote.identity import devices
from vote.identity.authenticator import Identity
from vote.input_limits import PASSWORD_MAX_CHARS
from vote.server import problems
from vote.web import idempotency, request_context, validation
from vote.web.access import UNASKED, rule
from vote.web.api.account_models import Login, Nothing, Registered, Registration, Token, User
from vote.web.api.operations import Operation, answer, describe, nothing
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
def register_page() -> AnyResponse:
    """The form, or onwards for who has an account."""
    return _form_or_onwards("register.html")


@accounts.get("/login")
@rule(UNASKED)
def login_page() -> AnyResponse:
    """The form, or onwards for who is logged in."""
    return _form_or_onwards("login.html")


@accounts.post("/register")
@rule(UNASKED)
@describe(
    Operation(
        summary="Register",
        tag="accounts",
        body=Registration,
        answers={201: Registered},
        problems=(409, 429),
        description="Creates an account that can vote, and returns its first token.",
    )
)
def register() -> AnyResponse:
    """A new account, logged in."""
    if not request_context.wants_page():
        account = _register()
        return answer(Registered(token=_token(account), user=User.from_account(account)), 201)
    once = idempotency.claim(HOME)
    try:
        account = _register(once)
    except (InvalidInput, NameTaken) as error:
        return _form_again("register.html", error, errors=error.fields)
    except (TooManyRequests, HasherBusy) as error:
        return _form_again("register.html", error, message=error.detail)
    return _onwards_as(account, once)


@accounts.post("/login")
@rule(UNASKED)
@describe(
    Operation(
        summary="Log in",
        tag="accounts",
        body=Login,
        answers={200: Token},
        problems=(401, 429),
        description=(
            "The answer is the same, and takes as long, whether the username is unknown or the password is wrong. "
            "429: too many wrong passwords, or too many logins; this one was not checked. See `Retry-After`."
        ),
    )
)
def login() -> AnyResponse:
    """A token or a session for who knows name and password."""
    if not request_context.wants_page():
        account = _check_login()
        return answer(Token(token=_token(account)))
    once = idempotency.claim(HOME)
    try:
        with once.hold(request_context.services().db):
            account = _check_login(once)
    except InvalidInput as error:
        return _form_again("login.html", error, errors=error.fields)
    except (NotLoggedIn, TooManyRequests, HasherBusy) as error:
        return _form_again("login.html", error, message=error.detail)
    return _onwards_as(account, once)


@accounts.post("/logout")
@rule(UNASKED)
@describe(
    Operation(
        summary="Log out",
        tag="accounts",
        body=Nothing,
        body_optional=True,
        answers={204: None},
        problems=(401,),
        description="Revokes the token or session that was sent, everywhere within a second.",
    )
)
def logout() -> AnyResponse:
    """The presented token and session are dead everywhere within a second. A session that ended before is no error."""
    as_page = request_context.wants_page()
    who = request_context.identity()
    if who is None and not as_page:
        raise NotLoggedIn
    once = idempotency.claim(HOME)
    if who is not None:
        _end(who, once)
    else:
        once.note(request_context.services().db)
    request_context.log_out()
    return redirect(once.address, 303) if as_page else nothing()


def _end(who: Identity, once: Claim | None = None) -> None:
    """This token or session is dead here at once, and everywhere within a second."""
    services = request_context.services()
    actions.revoke(services.db, by=who.user_id, subject=who.subject, once=once)
    services.revocations.add(who.subject)
    logger.info("logged out", user_id=who.user_id, via=who.via)


def _register(once: Claim | None = None) -> Account:
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


def _check_login(once: Claim | None = None) -> Account:
    given = validation.read(Login)
    services = request_context.services()
    services.hasher.check_free()  # first, so that a flood costs least where it is worst
    request_context.began()  # before the account is read
    # What can be no name or no password here takes the same time as one that is wrong.
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
        logger.info("login refused", request_id=request_context.request_id(), why=type(error).__name__)
        raise
    logger.info("logged in", user_id=account.id)
    return account


@contextmanager
def _failures_counted(attempt: LoginAttempt) -> Iterator[None]:
    """Count a failure against the network, before it is known to be one; a known device is nobody's network."""
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
    """Log a browser in, and know it from now on."""
    sid, new_token = idempotency.names_given(once)
    token = request_context.device() or new_token or devices.new_token()
    if (before := request_context.identity()) is not None:  # somebody was logged in here: that session ends
        _end(before)
    request_context.log_in(account, began=request_context.began(), sid=sid, token=token)
    response = _onwards()
    devices.set_cookie(response, token, request_context.services().settings)
    return response


def _onwards() -> AnyResponse:
    return redirect(local_path(request.values.get("next")) or HOME, 303)


def _form_or_onwards(template: str) -> AnyResponse:
    if request_context.person() is not None:
        return _onwards()
    page = render_template(
        template,
        values={},
        errors={},
        next=local_path(request.args.get("next")),
        message=None,
        done=DONE.get(request.args.get("done", "")),
    )
    return Response(page, mimetype="text/html")


def _form_again(
    template: str, error: VoteError, *, errors: dict[str, str] | None = None, message: str | None = None
) -> AnyResponse:
    """The form with what was typed, but never the password, and what is wrong with it."""
    page = render_template(
        template,
        values={name: request.form.get(name, "") for name in ("username", "email")},
        errors=errors or {},
        next=local_path(request.form.get("next")),
        message=message,
    )
    response = Response(page, problems.status_of(error), mimetype="text/html")
    response.headers.extend(problems.headers_of(error))
    return response
