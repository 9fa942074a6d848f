"""What a fault is: a piece of the code that occurs exactly once, what breaks it, and the tests of which one must fail."""

from typing import NamedTuple


class Fault(NamedTuple):
    """One way to break the system. `rule` is the promise or protocol rule it takes away."""

    name: str
    rule: str
    path: str
    before: str
    after: str
    tests: tuple[str, ...]
