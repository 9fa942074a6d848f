"""The cookie of a known device: a random signed token, valid for half a year, kept after logging out.

It logs nobody in. It shows that its owner has logged in on this device before, so that wrong passwords sent from elsewhere
do not lock this device out (`actions/login_throttle.py`). PostgreSQL lists the accounts it counts for; an account's owner
can remove it there.
"""

import hashlib
import re
import secrets

from itsdangerous import BadSignature, Signer
from werkzeug.wrappers import Request, Response

from vote.config import Settings
from vote.db.devices import KEEP_DAYS
from vote.identity.sessions import cookie_name

TOKEN_BYTES = 16

# Enough for people to recognise their devices. The first match wins: on an iPhone every browser also says Safari.
BROWSERS = (
    ("Edg", "Edge"),  # Edg, EdgA and EdgiOS
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrom", "Chrome"),
    ("CriOS", "Chrome"),
    ("HeadlessChrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "a Mac"),
    ("CrOS", "a Chromebook"),
    ("Linux", "Linux"),
)


def token_of(request: Request, settings: Settings) -> str | None:
    """Return the token of the request's device, or None when it has none or we did not sign it."""
    try:
        return _signer(settings).unsign(request.cookies.get(cookie_name(settings, "device"), "")).decode("ascii")
    except (BadSignature, ValueError):
        return None


def new_token() -> str:
    """Return a random token of 128 bits for a new device."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def set_cookie(response: Response, token: str, settings: Settings) -> None:
    """Set the device cookie, for KEEP_DAYS."""
    response.set_cookie(
        cookie_name(settings, "device"),
        _signer(settings).sign(token).decode("ascii"),
        max_age=KEEP_DAYS * 24 * 3600,
        secure=settings.vote_cookie_secure,
        httponly=True,
        samesite="Lax",
    )


def name_of(user_agent: str) -> str:
    """Return what a person would call the device: "Firefox on Linux"."""
    browser = next((name for mark, name in BROWSERS if re.search(rf"\b{mark}", user_agent)), "A browser")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), None)
    return f"{browser} on {system}" if system else browser


def _signer(settings: Settings) -> Signer:
    return Signer(settings.flask_secret_keys[::-1], salt="device", key_derivation="hmac", digest_method=hashlib.sha256)
