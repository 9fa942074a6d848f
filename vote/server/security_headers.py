"""Security headers of every answer, errors and static files included (OWASP Secure Headers, ASVS 5.0 V3.4).

With STATIC_URL, scripts and styles come from that origin and from no other, ours included. Pictures also come from our
own: browsers do not take the sprite from elsewhere.
"""

from vote.config import Settings

CSP = (
    "default-src 'none'; script-src {files}; style-src {files}; img-src {pictures}; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HSTS_SECONDS = 2 * 365 * 24 * 3600


def security_headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    """The headers, as ASGI wants them. HSTS only says something over TLS; browsers ignore it elsewhere."""
    return _encoded(_headers(settings))


def static_headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    """Those of static files. With STATIC_URL a page gets them from another origin, as a copy with the same headers, and
    compares them with what it expects: for that they must be readable to it. There is nothing secret in them.
    """
    headers = _headers(settings)
    if settings.static_url:
        headers |= {"cross-origin-resource-policy": "cross-origin", "access-control-allow-origin": "*"}
    return _encoded(headers)


def _headers(settings: Settings) -> dict[str, str]:
    cdn = settings.static_url
    headers = {
        "content-security-policy": CSP.format(files=cdn or "'self'", pictures=f"'self' {cdn}".strip()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",  # says what frame-ancestors says, to browsers and scanners that know only this
        "referrer-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    if settings.vote_env == "production" or (settings.public_url or "").startswith("https://"):
        headers["strict-transport-security"] = f"max-age={HSTS_SECONDS}; includeSubDomains"
    return headers


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
