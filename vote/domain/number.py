"""Numbers of people and competitions, as they stand in addresses, tokens, log entries and JSON."""

MAX_NUMBER = 2**52 - 1  # exact in every double: JavaScript and Lua know no other numbers


def is_number(number: int) -> bool:
    """Whether this can be the number of anything: 1 … MAX_NUMBER."""
    return 0 < number <= MAX_NUMBER
