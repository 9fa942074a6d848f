"""Security headers of every answer, errors and static files included (OWASP Secure Headers, ASVS 5.0 V3.4)."""

from vote.config import Settings

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HSTS_SECONDS = 2 * 365 * 24 * 3600


def security_headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    """The headers, as ASGI wants them. HSTS only says something over TLS; browsers ignore it elsewhere."""
    headers = {
        "content-security-policy": CSP,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",  # says what frame-ancestors says, to browsers and scanners that know only this
        "referrer-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    if settings.vote_env == "production" or (settings.public_url or "").startswith("https://"):
        headers["strict-transport-security"] = f"max-age={HSTS_SECONDS}; includeSubDomains"
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
