"""Addresses on this site: where `next` may lead. Anything a browser could read as another site is dropped."""

import re

LOCAL = re.compile(r"/(?![/\\])[^\s\\\x00-\x1f\x7f]{0,511}")  # browsers drop tabs and read \ as /


def local_path(wanted: str | None) -> str | None:
    """The path, when it surely stays on this site; else None."""
    return wanted if wanted is not None and LOCAL.fullmatch(wanted) else None
