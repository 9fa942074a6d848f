"""Refuse bodies that name a field twice: two readers of one body could each take a different value (HTTP parameter
pollution, ASVS 5.0 15.3.7).
"""

from collections.abc import Iterable
from typing import TypeVar

Value = TypeVar("Value")


def once(pairs: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """Return the fields by name. Raises ValueError when a name is repeated."""
    fields: dict[str, Value] = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError("a field is sent twice")
        fields[name] = value
    return fields
