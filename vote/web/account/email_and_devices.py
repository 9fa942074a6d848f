"""People's own email address and known devices: pages and API."""

from flask import Blueprint
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import logins, mailed_links
from vote.db import devices
from vote.errors import HasherBusy, InvalidInput, NameTaken, TooManyRequests
from vote.web import idempotency, request_context, validation
from vote.web.access import LOGGED_IN, rule
from vote.web.account import page_context
from vote.web.api.account_models import EmailChange
from vote.web.api.me_models import KnownDevices
from vote.web.api.models import Nothing
from vote.web.api.operations import Operation, answer

own_login = Blueprint("own_login", __name__)


@own_login.post("/account/email")
@rule(LOGGED_IN)
@Operation(tag="accounts", body=EmailChange, answers={204: None, 202: None}, problems=(409, 429))
def change_email() -> AnyResponse:
    """Change my email address.

    204: changed, and the old address is notified. 202, if EMAIL_CONFIRMATION is on: a link is on its way to the new
    address, which takes effect once it is confirmed.
    """
    account, services = request_context.me(), request_context.services()
    confirm_first = services.settings.email_confirmation
    once = idempotency.claim(f"/account?done={'mail' if confirm_first else 'email'}", about=account.id)
    try:
        given = validation.read(EmailChange)
        mailed_links.check_mailable(given.email, services.settings.smtp_url)
        with once.hold(services.db):  # mail to the address can take over the account
            page_context.check_password(given.password, field="password")
            request_context.check_mail_limit()
            mailed_links.change_email(
                services.db, services.login_throttle, account, email=given.email, confirm_first=confirm_first, once=once
            )
    except (InvalidInput, NameTaken, TooManyRequests, HasherBusy) as error:
        return page_context.refused(error, password="email_password")  # noqa: S106  # the name of a field
    return idempotency.done(once, 202 if confirm_first else 204)


@own_login.post("/account/email/confirm")
@rule(LOGGED_IN)
@Operation(tag="accounts", body=Nothing, answers={202: None}, problems=(409, 429))
def ask_confirmation() -> AnyResponse:
    """Send a new link to confirm my email address."""
    validation.read(Nothing)
    services, account = request_context.services(), request_context.me()
    once = idempotency.claim("/account?done=mail", about=account.id)
    try:
        request_context.check_mail_limit()
        mailed_links.ask_confirmation(services.db, services.login_throttle, account, once=once)
    except TooManyRequests as error:
        return page_context.refused(error)
    return idempotency.done(once, 202)


@own_login.get("/api/me/devices")
@rule(LOGGED_IN)
@Operation(tag="accounts", answers={200: KnownDevices})
def listed() -> AnyResponse:
    """List devices I have logged in with.

    Browsers I have logged in with. Wrong passwords there count separately. API clients are not listed.
    """
    with request_context.services().db.read() as tx:
        found = devices.of_person(tx, request_context.me().id)
    return answer(KnownDevices(devices=found))


@own_login.post("/account/devices/<id:device_id>/forget")
@rule(LOGGED_IN)
@Operation(tag="accounts", body=Nothing, answers={204: None})
def forget(device_id: int) -> AnyResponse:
    """Remove a device.

    Its session ends within a second, and it is no longer a known device.
    """
    validation.read(Nothing)
    services, account = request_context.services(), request_context.me()
    once = idempotency.claim("/account?done=device", about=account.id)
    services.revocations.add(logins.forget_device(services.db, device_id, by=account.id, once=once))
    return idempotency.done(once)
