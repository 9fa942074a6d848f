"""What every Flask request passes before its view: forged forms are refused, then the route's access rule is kept."""

import structlog
from flask import Flask, Response, g, request, session

from vote.errors import ForgedForm, NoCookie, NotAllowed, NotLoggedIn
from vote.identity import csrf
from vote.identity.sessions import BEFORE, cookie_name
from vote.server import client_address
from vote.web import access, idempotency, request_context
from vote.web.access import UNASKED, AccessRule

logger = structlog.get_logger()

CSRF_HEADER = "X-CSRF-Token"
COUNTED = "/api/"  # where each call counts


def guard(app: Flask) -> None:
    """Put the gate before every route of this app. Raises RuntimeError when a route has no access rule."""
    table = access.table_of(app)

    @app.before_request
    def pass_gate() -> None:
        wanted = table.get(request.endpoint or "", UNASKED)  # without an endpoint the answer is 404 or 405
        check_network(wanted)
        check_form()  # before limits: what a stranger's page sends counts against nobody
        check_limit()
        check_access(wanted)

    @app.after_request
    def keep_private(response: Response) -> Response:
        # An answer may be of one person only; who wants theirs to be kept longer says so.
        response.headers.setdefault("Cache-Control", "no-store")
        if g.get("has_left"):
            response.headers["Clear-Site-Data"] = '"storage"'  # not "cookies": a known device stays known
        return response


def check_network(wanted: AccessRule) -> None:
    """Raises NotAllowed where administration is asked for from outside ADMIN_NETWORKS, whoever it may be."""
    allowed = request_context.services().settings.admin_networks
    if not allowed or wanted not in (access.ORGANISER, access.ADMIN):
        return
    if not client_address.is_in_networks(request_context.address(), allowed, request.headers.keys()):
        logger.warning(
            "administration refused to this network", request_id=request_context.request_id(), path=request.path[:200]
        )
        raise NotAllowed(
            "The dashboard is not available from your network. Connect to the organisers' network, then try again."
        )


def check_access(wanted: AccessRule) -> None:
    """Raises NotLoggedIn or NotAllowed unless who is asking may pass."""
    if wanted is UNASKED:
        return
    who = request_context.identity()
    if who is None:
        access.check(wanted, None)
    elif wanted is not access.PUBLIC:
        access.check(wanted, request_context.person())
    elif who.via == "bearer":
        request_context.me()  # a token of an account that is not there (a database may have lost it) is no token


def check_limit() -> None:
    """Raises TooManyRequests when an account, or a network where nobody is logged in, asks the API too often."""
    if not request.path.startswith(COUNTED):
        return
    services = request_context.services()
    try:
        who = request_context.identity()
    except NotLoggedIn:
        who = None  # said by the route's rule, where it matters
    services.rate_limiter.acquire_after_first(
        services.rate_limits.api, f"user:{who.user_id}" if who else request_context.network()
    )


def check_form() -> None:
    """Raises ForgedForm when a browser sends a change that does not come from a form of this session; AlreadyAnswered when
    it is the second press of one.

    A Bearer token proves more than a form's token, and a client that is no browser has no session to misuse.
    """
    if (
        request.method not in request_context.UNSAFE_METHODS
        or request_context.sends_bearer()
        or not request_context.is_browser()
    ):
        return
    settings = request_context.services().settings
    csrf.check_same_origin(request.headers.get, allowed_hosts=csrf.allowed_hosts(settings, request.headers.get("Host")))
    if not request.cookies.get(cookie_name(settings)):
        idempotency.check_left()
        raise NoCookie
    given = request.headers.get(CSRF_HEADER) or request.form.get(csrf.FIELD)
    keys, sid, before = csrf.keys_of(settings), session.get("sid"), session.get(BEFORE)
    try:
        csrf.check_csrf(keys, sid, given)
    except ForgedForm:
        # The answer to a log-in has replaced the session, and its form, still on the screen, is pressed again.
        csrf.check_csrf(keys, before, given)
        idempotency.check(str(before), may_change=False)
    else:
        idempotency.check(str(sid), may_change=True)
