"""Names of our cookies. Every cookie takes its name from here and its flags from the settings.

Secure cookies carry the prefix `__Host-` (RFC 6265bis §4.1.3.2): browsers accept them only from this exact host over a
secure connection, so a neighbour under the same domain cannot plant one.
"""

PREFIX = "__Host-"


def name_of(name: str, *, secure: bool) -> str:
    """Return the cookie's full name. VOTE_COOKIE_SECURE=off drops the prefix, as browsers refuse it without Secure."""
    return PREFIX + name if secure else name
