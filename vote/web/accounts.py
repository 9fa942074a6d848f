"""Registering, logging in and out: pages with forms for browsers, tokens for API clients, one view each for both.

A browser gets a session and is sent on (303); an API client gets a token and no cookie. What a person may do with the
account afterwards is in `me.py` and `account_page.py`.
"""

import structlog
from flask import Blueprint, Response, redirect, render_template, request, session
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import accounts as actions
from vote.auth import PASSWORD_MAX_CHARS
from vote.db.users import Account
from vote.edge import problems
from vote.errors import InvalidInput, NameTaken, NotLoggedIn, VoteError
from vote.web import body, visitor
from vote.web.access import UNASKED, rule
from vote.web.local import local_path
from vote.web.models import Login, Nothing, Registered, Registration, Token, User
from vote.web.operations import Operation, answer, describe, nothing
from vote.web.tokens import issue

accounts = Blueprint("accounts", __name__)
log = structlog.get_logger()

HOME = "/"


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
        problems=(409,),
        description="Makes an account that can vote, and gives its first token.",
    )
)
def register() -> AnyResponse:
    """A new account, logged in."""
    if not visitor.wants_page():
        account = _register()
        token = issue(visitor.parts(), account.id)
        return answer(Registered(token=token, user=User.of(account)), 201)
    try:
        account = _register()
    except (InvalidInput, NameTaken) as error:
        return _form_again("register.html", error, errors=error.fields)
    return _onwards_as(account)


@accounts.post("/login")
@rule(UNASKED)
@describe(
    Operation(
        summary="Log in",
        tag="accounts",
        body=Login,
        answers={200: Token},
        problems=(401,),
        description="The answer is the same, and takes as long, whether the name is unknown or the password is wrong.",
    )
)
def login() -> AnyResponse:
    """A token or a session for who knows name and password."""
    if not visitor.wants_page():
        account = _check_login()
        return answer(Token(token=issue(visitor.parts(), account.id)))
    try:
        account = _check_login()
    except InvalidInput as error:
        return _form_again("login.html", error, errors=error.fields)
    except NotLoggedIn as error:
        return _form_again("login.html", error, message=error.detail)
    return _onwards_as(account)


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
        description="Ends the token or session that was sent; it is dead everywhere within a second.",
    )
)
def logout() -> AnyResponse:
    """The presented token and session are dead everywhere within a second. A session that ended before is no error."""
    as_page = visitor.wants_page()
    who = visitor.identity()
    if who is None and not as_page:
        raise NotLoggedIn
    if who is not None:
        parts = visitor.parts()
        actions.revoke(parts.db, by=who.user_id, subject=who.subject)
        parts.revoked.add(who.subject)
        log.info("logged out", user_id=who.user_id, via=who.via)
    session.clear()
    return redirect(HOME, 303) if as_page else nothing()


def _register() -> Account:
    wanted = body.read(Registration)
    parts = visitor.parts()
    account = actions.register(
        parts.db, parts.hasher, username=wanted.username, email=wanted.email, password=wanted.password
    )
    log.info("registered", user_id=account.id)
    return account


def _check_login() -> Account:
    given = body.read(Login)
    parts = visitor.parts()
    # What can be no name or no password here takes the same time as one that is wrong.
    possible = given.username.isprintable() and len(given.password) <= PASSWORD_MAX_CHARS
    name, password = (given.username, given.password) if possible else ("", "")
    try:
        account = actions.check_login(parts.db, parts.hasher, username=name, password=password)
    except NotLoggedIn:
        log.info("login refused", request_id=visitor.request_id())
        raise
    log.info("logged in", user_id=account.id)
    return account


def _onwards_as(account: Account) -> AnyResponse:
    visitor.log_in(account.id, now=visitor.began())
    return _onwards()


def _onwards() -> AnyResponse:
    return redirect(local_path(request.values.get("next")) or HOME, 303)


def _form_or_onwards(template: str) -> AnyResponse:
    if visitor.person() is not None:
        return _onwards()
    page = render_template(template, values={}, errors={}, next=local_path(request.args.get("next")), message=None)
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
    return Response(page, problems.status_of(error), mimetype="text/html")
