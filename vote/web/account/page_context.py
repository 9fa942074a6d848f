"""Renders the account page, also after a refused form; shared by `page.py`, `email_and_devices.py` and `me.py`."""

from flask import Response, render_template
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import logins
from vote.db import devices, mail_links
from vote.errors import InvalidInput, VoteError
from vote.server import problems
from vote.web import request_context
from vote.web.account.votes import own_votes


def page(*, error: VoteError | None = None, message: str | None = None) -> AnyResponse:
    """Return the page; after a refused form, with the errors beside its fields."""
    account, services = request_context.me(), request_context.services()
    with services.db.read() as tx:
        votes = [vote.model_dump() for vote in own_votes(tx, account.id)]
        known = devices.of_person(tx, account.id)
        waiting = mail_links.waiting_address(tx, account.id)
    text = render_template(
        "account.html",
        account=account,
        votes=votes,
        devices=known,
        here=request_context.session_id(),
        waiting_address=waiting,
        is_confirmed=request_context.is_confirmed(account),
        errors=getattr(error, "fields", {}),
        message=error.detail if error else message,
        wrong=error is not None,
    )
    return Response(text, problems.status_of(error) if error else 200, problems.headers_of(error) if error else None)


def check_password(password: str, *, field: str) -> None:
    """Raise InvalidInput, naming the field, unless this is the logged-in person's password; TooManyRequests,
    HasherBusy.
    """
    services, me = request_context.services(), request_context.me()
    with request_context.password_counted(me.username):
        logins.check_password(
            services.db, services.hasher, services.login_throttle, by=me, password=password, field=field
        )


def refused(error: VoteError, **names: str) -> AnyResponse:
    """Return the page with the error for a browser; raise it for an API client. `names`: the form's own names of fields
    that several forms on the page have.
    """
    if not request_context.wants_page():
        raise error
    if isinstance(error, InvalidInput):
        error.fields = {names.get(name, name): why for name, why in error.fields.items()}
    return page(error=error)
