"""What our cookies are called. Every cookie we set takes its name from here, and its flags from the settings.

Where cookies are Secure the name begins with `__Host-` (RFC 6265bis §4.1.3.2): a browser takes such a cookie only from
this very host over a secure connection, so no neighbour under the same domain can plant one.
"""

PREFIX = "__Host-"


def name_of(word: str, *, secure: bool) -> str:
    """The name of the cookie that holds `word`; the bare word where VOTE_COOKIE_SECURE is off, for browsers refuse both."""
    return PREFIX + word if secure else word
