"""Who somebody is to the rules: an account and its role."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["voter", "organiser", "admin"]


@dataclass(frozen=True, slots=True)
class Person:
    """An account that can act. `role` is what it may do: vote, also run own competitions, or run everything."""

    id: int
    username: str
    role: Role
