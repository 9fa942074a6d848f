"""The page of one's own account, as its forms show it again: what `account_page.py`, `own_login.py` and `me.py` share."""

from flask import Response, render_template
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import logins
from vote.db import devices, mail_links
from vote.errors import InvalidInput, VoteError
from vote.server import problems
from vote.web import request_context
from vote.web.account.votes import own_votes


def page(*, error: VoteError | None = None, message: str | None = None) -> AnyResponse:
    """The page; after a form that was refused, with what is wrong beside its field."""
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
    response = Response(text, problems.status_of(error) if error else 200, mimetype="text/html")
    response.headers.extend(problems.headers_of(error) if error else [])
    return response


def check_password(password: str, *, field: str) -> None:
    """Raises InvalidInput, naming the field, unless this is the password of who is asking; TooManyRequests, HasherBusy."""
    services, me = request_context.services(), request_context.me()
    with request_context.password_counted(me.username):
        logins.check_password(
            services.db, services.hasher, services.login_throttle, by=me, password=password, field=field
        )


def refused(error: VoteError) -> AnyResponse:
    """The page again for a browser; an API client is told the error itself."""
    if not request_context.wants_page():
        raise error
    return page(error=error)


def fields_named(error: InvalidInput, **names: str) -> InvalidInput:
    """The same error under the names its form uses, where several forms of a page have fields of one name."""
    return InvalidInput({names.get(name, name): why for name, why in error.fields.items()}, error.detail)
