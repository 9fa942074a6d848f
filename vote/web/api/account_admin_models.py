"""Accounts as the admin API returns them, and what it takes."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Self

from pydantic import Field

from vote.db.account_search import PersonRow
from vote.domain.folding import trimmed
from vote.domain.person import Role
from vote.web.api.account_models import NEXT, Input, Output

IN_NO_NAME = "~"


class RoleChange(Input):
    """A new role."""

    role: Role


class PersonOut(Output):
    """An account as admins see it."""

    id: int
    username: str
    email: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None = Field(description="When the account was disabled; null if it is not.")
    locked_until: datetime | None = Field(
        description="Until when only known devices can log in, after 100 wrong passwords; null if it is not locked."
    )


class Asked(NamedTuple):
    """Whom somebody looks for: how the name begins, or a whole e-mail address, after which name."""

    search: str
    after: str

    @classmethod
    def from_query(cls, args: Mapping[str, str]) -> Self:
        """From the query of an address. What can be in no name finds nobody."""
        texts = (trimmed(args.get(name, "")) for name in ("search", "after"))
        return cls(*(text if text.isprintable() and (text.isascii() or "@" in text) else IN_NO_NAME for text in texts))


class People(Output):
    """A page of accounts by username."""

    people: list[PersonOut]
    next: str | None = Field(description=NEXT)

    @classmethod
    def page(cls, found: list[PersonRow], size: int) -> Self:
        """Of `size` people and, where there are more, one beyond."""
        return cls(
            people=[PersonOut.model_validate(one) for one in found[:size]],
            next=found[size - 1].username if len(found) > size else None,
        )


class Lock(Output):
    """An account that only known devices can log in to."""

    user_id: int
    username: str
    locked_at: datetime
    expires_at: datetime


class Locks(Output):
    """Locked accounts, the newest lock first."""

    count: int = Field(description="How many accounts are locked. The list may be shorter.")
    locks: list[Lock]
