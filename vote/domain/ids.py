"""Numbers of people and competitions, as they stand in addresses, tokens, log entries and JSON."""

MAX_ID = 2**52 - 1  # exact in every double: JavaScript and Lua know no other numbers


def is_id(number: int) -> bool:
    """Whether this can be the number of anything: 1 … MAX_ID."""
    return 0 < number <= MAX_ID
