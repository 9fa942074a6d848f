"""Shows unsent mail to developers at `/outbox`, only in development without SMTP_URL.

Its reader can take over any account, so it answers only this machine: the peer must be loopback, without a forwarding
header, and the Host a local name (so that no other site's page can be pointed here by DNS).
"""

from flask import Blueprint, render_template, request

from vote.db import outbox as letters
from vote.errors import NotFound
from vote.web import request_context
from vote.web.access import UNASKED, rule

outbox = Blueprint("outbox", __name__)

LATEST = 50
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
OF_PROXIES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


@outbox.get("/outbox")
@rule(UNASKED)
def show() -> str:
    """Show the latest mails, newest first."""
    if not is_open():
        raise NotFound
    with request_context.services().db.read() as tx:
        return render_template("outbox.html", letters=letters.to_read(tx, limit=LATEST), latest=LATEST)


def is_open() -> bool:
    """Return whether this request may read the mails."""
    return request_context.services().settings.mail_is_read_here and _is_this_machine()


def _is_this_machine() -> bool:
    address, host = request_context.address(), request.host.rpartition(":")[0] or request.host
    is_local = address is not None and address.is_loopback and (host in LOCAL_HOSTS or request.host in LOCAL_HOSTS)
    return is_local and not any(name in request.headers for name in OF_PROXIES)
