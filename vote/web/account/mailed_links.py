"""Links in mails: a new password for who forgot it, and the confirmation of an address.

The token of a link stands after the `#` of its address, which no browser sends: so it is in no log, no Referer and no
proxy. A script of the page writes it into the form; without scripts it is pasted there. Opening a link changes nothing.
"""

import structlog
from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import mailed_links as actions
from vote.errors import HasherBusy, InvalidInput, NameTaken, NotAllowed, TooManyRequests, VoteError
from vote.server import problems
from vote.web import idempotency, request_context, tokens, validation
from vote.web.access import UNASKED, rule
from vote.web.admin import outbox
from vote.web.api.account_models import Forgotten, MailedToken, PasswordReset
from vote.web.api.operations import Operation, describe, nothing

recovery = Blueprint("recovery", __name__)
logger = structlog.get_logger()

FORGOT = "/forgot"
NO_MAIL = "This site sends no email. Ask an organiser: the people who run this site can set a new password for you."


@recovery.get("/forgot")
@rule(UNASKED)
def forgot_page() -> str:
    """The form, or that this site sends no mail."""
    return render_template(
        "forgot.html", no_mail=None if request_context.services().settings.can_mail else NO_MAIL, errors={}
    )


def _sent() -> AnyResponse:
    """What somebody is told who has asked, known or not."""
    email = request.form.get("email", "").strip()
    page = render_template("forgot.html", sent_to=email, has_outbox=outbox.is_open(), errors={})
    return Response(page, 202, mimetype="text/html")


@recovery.post("/forgot")
@rule(UNASKED)
@idempotency.answers_again(_sent)
@describe(
    Operation(
        summary="Request a link to reset the password",
        tag="accounts",
        body=Forgotten,
        answers={202: None},
        problems=(429,),
        description="The answer is the same whether or not an account has this address. 403: this site sends no email.",
    )
)
def forgot() -> AnyResponse:
    """A mail is on its way, if somebody has the address."""
    services = request_context.services()
    if not services.settings.can_mail:
        raise NotAllowed(NO_MAIL)
    try:
        email = validation.read(Forgotten).email
        request_context.check_mail_limit()
        actions.ask_reset(services.db, services.login_throttle, email=email, once=idempotency.claim(FORGOT))
    except (InvalidInput, TooManyRequests) as error:
        return _again("forgot.html", error)
    logger.info("new password asked for", request_id=request_context.request_id())
    if not request_context.wants_page():
        return nothing(202)
    return _sent()


@recovery.get("/reset")
@rule(UNASKED)
def reset_page() -> str:
    """The form. What follows the # of the address is not sent here."""
    return render_template("reset.html", errors={})


@recovery.post("/reset")
@rule(UNASKED)
@describe(
    Operation(
        summary="Set a new password with an emailed token",
        tag="accounts",
        body=PasswordReset,
        answers={204: None},
        description="Works once, within 30 minutes. Revokes every token and session of the account and forgets its devices.",
    )
)
def reset() -> AnyResponse:
    """The password is another one, and everything that was logged in is out."""
    services, once = request_context.services(), idempotency.claim("/login?done=reset")
    try:
        given = validation.read(PasswordReset)
        user_id = actions.reset_password(
            services.db,
            services.hasher,
            services.login_throttle,
            token=given.token,
            password=given.new_password,
            once=once,
        )
    except (InvalidInput, HasherBusy) as error:
        return _again("reset.html", error, token=request.form.get("token", ""))
    tokens.know_ended(services, user_id)
    logger.info("password set by mail", user_id=user_id)
    return redirect(once.address, 303) if request_context.wants_page() else nothing()


@recovery.get("/confirm")
@rule(UNASKED)
def confirm_page() -> str:
    """The form with one button: programs that look into mails follow links, but press nothing."""
    return render_template("confirm.html", errors={})


@recovery.post("/confirm")
@rule(UNASKED)
@describe(
    Operation(
        summary="Confirm an email address with an emailed token",
        tag="accounts",
        body=MailedToken,
        answers={204: None},
        problems=(409,),
        description="Works once, within a day.",
    )
)
def confirm() -> AnyResponse:
    """The address is confirmed, and the account's if it was to be another one."""
    once = idempotency.claim("/account?done=confirmed")
    try:
        confirmed = actions.confirm_email(
            request_context.services().db, token=validation.read(MailedToken).token, once=once
        )
    except (InvalidInput, NameTaken) as error:
        return _again("confirm.html", error, token=request.form.get("token", ""))
    if confirmed.ends_logins:
        tokens.know_ended(request_context.services(), confirmed.user_id)
    logger.info("address confirmed", user_id=confirmed.user_id)
    if not request_context.wants_page():
        return nothing()
    return redirect(once.address, 303)


def _again(template: str, error: VoteError, **values: object) -> AnyResponse:
    if not request_context.wants_page():
        raise error
    fields = getattr(error, "fields", {})
    # A new address that was taken meanwhile has no field on this page.
    message = None if set(fields) - {"email"} or (fields and template == "forgot.html") else error.detail
    page = render_template(template, errors=fields, message=message, **values)
    response = Response(page, problems.status_of(error), mimetype="text/html")
    response.headers.extend(problems.headers_of(error))
    return response
