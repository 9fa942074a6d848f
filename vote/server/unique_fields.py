"""The fields of a body, each named once. Who says two things has not said which one is meant, and two readers of one body
may take a different one of them (HTTP parameter pollution, ASVS 5.0 15.3.7).
"""

from collections.abc import Iterable
from typing import TypeVar

Value = TypeVar("Value")


def once(pairs: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """The fields by name. Raises ValueError when a name comes twice."""
    fields: dict[str, Value] = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError("a field is sent twice")
        fields[name] = value
    return fields
