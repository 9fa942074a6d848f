"""Checks every Flask request before its view: networks, forged forms, limits, and the route's access rule."""

from flask import Flask, Response, g, request, session

from vote import networks
from vote.errors import ForgedForm, NoCookie, NotAllowed, NotLoggedIn
from vote.identity import csrf
from vote.identity.sessions import BEFORE, cookie_name
from vote.web import access, idempotency, request_context
from vote.web.access import UNASKED, AccessRule

CSRF_HEADER = "X-CSRF-Token"
COUNTED = "/api/"  # the limit that each call counts against


def guard(app: Flask) -> None:
    """Install the checks before every route of this app. Raises RuntimeError for a route without an access rule."""
    table = access.table_of(app)

    @app.before_request
    def pass_gate() -> None:
        wanted = table.get(request.endpoint or "", UNASKED)  # without an endpoint the answer is 404 or 405
        check_network(wanted)
        check_form()  # before limits: another site's requests count against nobody
        check_limit()
        check_access(wanted)

    @app.after_request
    def keep_private(response: Response) -> Response:
        # An answer may be personal, so a view that allows caching has to say so.
        response.headers.setdefault("Cache-Control", "no-store")
        if g.get("has_left"):
            response.headers["Clear-Site-Data"] = '"storage"'  # not "cookies": a known device stays known
        return response


def check_network(wanted: AccessRule) -> None:
    """Raise NotAllowed for administration from outside ADMIN_NETWORKS, whoever the person is."""
    allowed = request_context.services().settings.admin_networks
    if not allowed or wanted not in (access.ORGANISER, access.ADMIN):
        return
    if not networks.is_in_networks(request_context.address(), allowed, request.headers.keys()):
        raise NotAllowed(
            "The dashboard is not available from your network. Connect to the organisers' network, then try again."
        )


def check_access(wanted: AccessRule) -> None:
    """Raise NotLoggedIn or NotAllowed unless the logged-in person may call the route."""
    if wanted is UNASKED:
        return
    who = request_context.identity()
    if who is None:
        access.check(wanted, None)
    elif wanted is not access.PUBLIC:
        access.check(wanted, request_context.person())
    elif who.via == "bearer":
        request_context.me()  # a token of a missing account (a database may have lost it) is invalid


def check_limit() -> None:
    """Raise TooManyRequests when an account, or a network without a login, calls the API too often."""
    if not request.path.startswith(COUNTED):
        return
    services = request_context.services()
    try:
        who = request_context.identity()
    except NotLoggedIn:
        who = None  # the route's rule raises it, where it matters
    services.rate_limiter.acquire_after_first(
        services.rate_limits.api, f"user:{who.user_id}" if who else request_context.network()
    )


def check_form() -> None:
    """Raise ForgedForm when a browser's change does not come from a form of this session; AlreadyAnswered for a second
    press.

    A Bearer token proves more than a form's token, and a client that is not a browser has no session to misuse.
    """
    if (
        request.method not in request_context.UNSAFE_METHODS
        or request_context.sends_bearer()
        or not request_context.is_browser()
    ):
        return
    settings = request_context.services().settings
    csrf.check_same_origin(request.headers.get, settings)
    if not request.cookies.get(cookie_name(settings)):
        idempotency.check_left()
        raise NoCookie
    given = request.headers.get(CSRF_HEADER) or request.form.get(csrf.FIELD)
    keys, sid, before = csrf.keys_of(settings), session.get("sid"), session.get(BEFORE)
    try:
        csrf.check_csrf(keys, sid, given)
    except ForgedForm:
        # The login's answer has replaced the session, and the form, still on screen, is submitted again.
        csrf.check_csrf(keys, before, given)
        idempotency.check(str(before), may_change=False)
    else:
        idempotency.check(str(sid), may_change=True)
