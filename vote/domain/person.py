"""The acting person: an account and its role, as the rules see it."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["voter", "organiser", "admin"]


@dataclass(frozen=True, slots=True)
class Person:
    """An account that can act: a voter votes, an organiser also runs their own competitions, an admin runs everything."""

    id: int
    username: str
    role: Role


def actor_of(by: int | str | Person) -> str:
    """Return who acts, as audit log and lines name them: `user:<id>`, or the name of a part or a command."""
    if isinstance(by, str):
        return by
    return f"user:{by if isinstance(by, int) else by.id}"
