"""Handles links in mails: a new password, and the confirmation of an address.

The token follows the `#` of a link, which browsers do not send, so it is in no log, no Referer and no proxy. A script
writes it into the form; without scripts people paste it there. Opening a link changes nothing.
"""

import structlog
from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import mailed_links as actions
from vote.errors import HasherBusy, InvalidInput, NameTaken, NotAllowed, TooManyRequests, VoteError
from vote.web import errors, idempotency, request_context, tokens, validation
from vote.web.access import UNASKED, rule
from vote.web.admin import outbox
from vote.web.api.account_models import Forgotten, MailedToken, PasswordReset
from vote.web.api.operations import Operation, nothing

recovery = Blueprint("recovery", __name__)
logger = structlog.get_logger()

FORGOT = "/forgot"
NO_MAIL = "This site sends no email. Ask an organiser: the people who run this site can set a new password for you."


@recovery.get("/forgot")
@rule(UNASKED)
def forgot_page() -> str:
    """Show the form, or that this site sends no mail."""
    return render_template(
        "forgot.html", no_mail=None if request_context.services().settings.can_mail else NO_MAIL, errors={}
    )


def _sent() -> AnyResponse:
    """Return the answer to a request for a link, the same whether or not an account has the address."""
    email = request.form.get("email", "").strip()
    page = render_template("forgot.html", sent_to=email, has_outbox=outbox.is_open(), errors={})
    return Response(page, 202, mimetype="text/html")


@recovery.post("/forgot")
@rule(UNASKED)
@idempotency.answers_again(_sent)
@Operation(tag="accounts", body=Forgotten, answers={202: None}, problems=(429,))
def forgot() -> AnyResponse:
    """Request a link to reset the password.

    The answer is the same whether or not an account has this address. 403: this site sends no email.
    """
    services = request_context.services()
    if not services.settings.can_mail:
        raise NotAllowed(NO_MAIL)
    try:
        email = validation.read(Forgotten).email
        request_context.check_mail_limit()
        actions.ask_reset(services.db, services.login_throttle, email=email, once=idempotency.claim(FORGOT))
    except (InvalidInput, TooManyRequests) as error:
        return errors.form_again("forgot.html", error)
    logger.info("new password asked for")
    return _sent() if request_context.wants_page() else nothing(202)


@recovery.get("/reset")
@rule(UNASKED)
def reset_page() -> str:
    """Show the form. The part of the link after # is not sent here."""
    return render_template("reset.html", errors={})


@recovery.post("/reset")
@rule(UNASKED)
@Operation(tag="accounts", body=PasswordReset, answers={204: None})
def reset() -> AnyResponse:
    """Set a new password with an emailed token.

    Works once, within 30 minutes. Revokes every token and session of the account and forgets its devices.
    """
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
        return _again("reset.html", error)
    tokens.know_ended(services, user_id)
    logger.info("password set by mail", user_id=user_id)
    return idempotency.done(once)


@recovery.get("/confirm")
@rule(UNASKED)
def confirm_page() -> str:
    """Show the form with its button: mail scanners follow links but press no buttons."""
    return render_template("confirm.html", errors={})


@recovery.post("/confirm")
@rule(UNASKED)
@Operation(tag="accounts", body=MailedToken, answers={204: None}, problems=(409,))
def confirm() -> AnyResponse:
    """Confirm an email address with an emailed token.

    Works once, within a day.
    """
    once = idempotency.claim("/account?done=confirmed")
    try:
        confirmed = actions.confirm_email(
            request_context.services().db, token=validation.read(MailedToken).token, once=once
        )
    except (InvalidInput, NameTaken) as error:
        return _again("confirm.html", error)
    if confirmed.ends_logins:
        tokens.know_ended(request_context.services(), confirmed.user_id)
    logger.info("address confirmed", user_id=confirmed.user_id)
    return idempotency.done(once)


def _again(template: str, error: VoteError) -> AnyResponse:
    # These pages have no field for an address that was taken meanwhile.
    is_taken = isinstance(error, NameTaken)
    return errors.form_again(template, error, with_message=is_taken, token=request.form.get("token", ""))
