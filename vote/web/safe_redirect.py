"""Validates `next` targets. Drops any URL that a browser could read as another site's."""

import re

LOCAL = re.compile(r"/(?![/\\])[^\s\\\x00-\x1f\x7f]{0,511}")  # browsers drop tabs and read \ as /


def local_path(wanted: str | None) -> str | None:
    """Return the path if it certainly stays on this site; else None."""
    return wanted if wanted is not None and LOCAL.fullmatch(wanted) else None
