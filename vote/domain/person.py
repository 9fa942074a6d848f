"""Who acts: an account and its role, as the rules see it."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["voter", "organiser", "admin"]


@dataclass(frozen=True, slots=True)
class Person:
    """An account that can act: a voter votes, an organiser also runs their own competitions, an admin runs everything."""

    id: int
    username: str
    role: Role
