"""What belongs to logging in, of one's own account: the e-mail address that mails go to, and the devices that are known."""

from flask import Blueprint, redirect
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import logins, mailed_links
from vote.db import devices
from vote.errors import HasherBusy, InvalidInput, NameTaken, TooManyRequests
from vote.web import idempotency, request_context, validation
from vote.web.access import LOGGED_IN, rule
from vote.web.account import page_context
from vote.web.api.account_models import EmailChange, Nothing
from vote.web.api.me_models import KnownDevice, KnownDevices
from vote.web.api.operations import Operation, answer, describe, nothing

own_login = Blueprint("own_login", __name__)


@own_login.post("/account/email")
@rule(LOGGED_IN)
@describe(
    Operation(
        summary="Change my email address",
        tag="accounts",
        body=EmailChange,
        answers={204: None, 202: None},
        problems=(409, 429),
        description=(
            "204: changed, and the old address is notified. 202, if EMAIL_CONFIRMATION is on: a link is on its way to the "
            "new address, which takes effect once it is confirmed."
        ),
    )
)
def change_email() -> AnyResponse:
    """Another address; the password is asked for, since mail to it opens the account."""
    account, services = request_context.me(), request_context.services()
    confirm_first = services.settings.email_confirmation
    once = idempotency.claim(f"/account?done={'mail' if confirm_first else 'email'}", about=account.id)
    try:
        given = validation.read(EmailChange)
        mailed_links.check_mailable(given.email, services.settings.smtp_url)
        with once.hold(services.db):
            page_context.check_password(given.password, field="password")
            request_context.check_mail_limit()
            mailed_links.change_email(
                services.db, services.login_throttle, account, email=given.email, confirm_first=confirm_first, once=once
            )
    except InvalidInput as error:
        return page_context.refused(page_context.fields_named(error, **_names()))
    except (NameTaken, TooManyRequests, HasherBusy) as error:
        return page_context.refused(error)
    if request_context.wants_page():
        return redirect(once.address, 303)
    return nothing(202 if confirm_first else 204)


def _names() -> dict[str, str]:
    return {"password": "email_password"} if request_context.wants_page() else {}


@own_login.post("/account/email/confirm")
@rule(LOGGED_IN)
@describe(
    Operation(
        summary="Send a new link to confirm my email address",
        tag="accounts",
        body=Nothing,
        body_optional=True,
        answers={202: None},
        problems=(409, 429),
    )
)
def ask_confirmation() -> AnyResponse:
    """Another mail to the address of the account."""
    validation.read(Nothing)
    services, account = request_context.services(), request_context.me()
    once = idempotency.claim("/account?done=mail", about=account.id)
    try:
        request_context.check_mail_limit()
        mailed_links.ask_confirmation(services.db, services.login_throttle, account, once=once)
    except TooManyRequests as error:
        return page_context.refused(error)
    return redirect(once.address, 303) if request_context.wants_page() else nothing(202)


@own_login.get("/api/me/devices")
@rule(LOGGED_IN)
@describe(
    Operation(
        summary="List devices I have logged in with",
        tag="accounts",
        answers={200: KnownDevices},
        description="Browsers I have logged in with. Wrong passwords there count separately. API clients are not listed.",
    )
)
def listed() -> AnyResponse:
    """All of them, the one used last first."""
    with request_context.services().db.read() as tx:
        found = devices.of_person(tx, request_context.me().id)
    return answer(KnownDevices(devices=[KnownDevice.model_validate(one) for one in found]))


@own_login.post("/account/devices/<id:device_id>/forget")
@rule(LOGGED_IN)
@describe(
    Operation(
        summary="Remove a device",
        tag="accounts",
        body=Nothing,
        body_optional=True,
        answers={204: None},
        description="Its session ends within a second, and it is no longer a known device.",
    )
)
def forget(device_id: int) -> AnyResponse:
    """It is logged out and not known any more."""
    validation.read(Nothing)
    services, account = request_context.services(), request_context.me()
    once = idempotency.claim("/account?done=device", about=account.id)
    services.revocations.add(logins.forget_device(services.db, device_id, by=account.id, once=once))
    return redirect(once.address, 303) if request_context.wants_page() else nothing()
