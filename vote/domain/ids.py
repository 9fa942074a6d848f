"""Ids of accounts and competitions, as addresses, tokens, log entries and JSON carry them."""

MAX_ID = 2**52 - 1  # exact in every double, the only numbers of JavaScript and Lua


def is_id(number: int) -> bool:
    """Return whether this number can be an id: 1 … MAX_ID."""
    return 0 < number <= MAX_ID
