"""Reads the `after` parameter of paged lists."""

from flask import request

from vote.errors import InvalidInput

MAX_DIGITS = 16  # of the largest id
QUERY = {"after": "The `next` of the previous page. Leave it out for the first page."}


def after() -> int | None:
    """Return the number after which to continue; None for the first page. Raises InvalidInput for anything else."""
    text = request.args.get("after", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise InvalidInput({"after": "Send the `next` of the previous page, or leave it out."})
    return int(text)
