"""Security headers of every answer, including errors and static files (OWASP Secure Headers, ASVS 5.0 V3.4).

With STATIC_URL, scripts and styles load only from that origin, not from ours. Images also load from ours: browsers refuse
SVG sprites of other origins.
"""

from vote.config import Settings

CSP = (
    "default-src 'none'; script-src {files}; style-src {files}; img-src {pictures}; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HSTS_SECONDS = 2 * 365 * 24 * 3600


def security_headers(settings: Settings, *, of_file: bool = False) -> list[tuple[bytes, bytes]]:
    """Return the headers in ASGI form. HSTS takes effect only over TLS; browsers ignore it elsewhere.

    With STATIC_URL, pages load a copy of the static files from another origin and verify their integrity, for which the
    files must be readable cross-origin. They hold no secrets.
    """
    cdn = settings.static_url
    headers = {
        "content-security-policy": CSP.format(files=cdn or "'self'", pictures=f"'self' {cdn}".strip()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",  # frame-ancestors for browsers and scanners that know only this
        "referrer-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    if settings.vote_env == "production" or (settings.public_url or "").startswith("https://"):
        headers["strict-transport-security"] = f"max-age={HSTS_SECONDS}; includeSubDomains"
    if of_file and cdn:
        headers |= {"cross-origin-resource-policy": "cross-origin", "access-control-allow-origin": "*"}
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
