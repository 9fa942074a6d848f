"""People's own account page and its forms: change the password, log out everywhere, delete the account."""

from flask import Blueprint, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import accounts as actions
from vote.errors import Conflict, HasherBusy, InvalidInput, TooManyRequests
from vote.web import idempotency, request_context, tokens, validation
from vote.web.access import LOGGED_IN, rule
from vote.web.account import page_context
from vote.web.api.account_models import Deletion, PasswordChange
from vote.web.api.me import erase_account
from vote.web.api.models import Nothing
from vote.web.api.operations import Operation

account_page = Blueprint("account", __name__, url_prefix="/account")

MESSAGES = {
    "password": "Your password is changed. You are logged out on your other devices.",
    "device": "The device is removed and logged out.",
    "email": "Your email address is changed.",
    "mail": "We sent you an email. Open the link in it to confirm the address.",
    "confirmed": "Your email address is confirmed.",
}


@account_page.get("")
@rule(LOGGED_IN)
def show() -> AnyResponse:
    """Show the page."""
    return page_context.page(message=MESSAGES.get(request.args.get("done", "")))


@account_page.post("/password")
@rule(LOGGED_IN)
@Operation(tag="accounts", body=PasswordChange, answers={204: None}, problems=(429,))
def change_password() -> AnyResponse:
    """Change my password.

    Revokes every token and session of the account, except the session of the browser that asks, and forgets its other
    devices. The owner is notified by email.
    """
    account, services = request_context.me(), request_context.services()
    once, device = idempotency.claim("/account?done=password", about=account.id), request_context.own_device(account)
    try:
        given = validation.read(PasswordChange)
        with once.hold(services.db):
            page_context.check_password(given.current_password, field="current_password")
            actions.change_password(
                services.db, services.hasher, by=account, new=given.new_password, keep_device=device, once=once
            )
    except (InvalidInput, TooManyRequests, HasherBusy) as error:
        return page_context.refused(error)
    tokens.know_ended(services, account.id)
    if request_context.wants_page():
        request_context.log_in(account, began=request_context.now_by_database(), sid=idempotency.names_given(once)[0])
    return idempotency.done(once)


@account_page.post("/logout-everywhere")
@rule(LOGGED_IN)
@Operation(tag="accounts", body=Nothing, answers={204: None})
def logout_everywhere() -> AnyResponse:
    """Log out everywhere.

    Revokes every token and session of the account within a second, including the one that asks.
    """
    account, services = request_context.me(), request_context.services()
    once = idempotency.claim("/login", about=account.id)
    actions.log_out_everywhere(services.db, by=account.id, keep_device=request_context.own_device(account), once=once)
    tokens.know_ended(services, account.id)
    request_context.log_out()
    return idempotency.done(once)


@account_page.post("/delete")
@rule(LOGGED_IN)
@Operation(tag="accounts", body=Deletion, answers={204: None}, problems=(409, 429))
def delete() -> AnyResponse:
    """Delete my account with a form.

    Does the same as DELETE /api/me.
    """
    account = request_context.me()
    once = idempotency.claim("/login?done=deleted", about=account.id)
    try:
        with once.hold(request_context.services().db):
            page_context.check_password(validation.read(Deletion).password, field="password")
            erase_account(account.id, once=once)
    except (Conflict, InvalidInput, TooManyRequests, HasherBusy) as error:
        return page_context.refused(error)
    return idempotency.done(once)
