"""Models of the admin API for accounts: input and output."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Self

from pydantic import Field

from vote.db.account_search import PersonRow
from vote.domain.folding import trimmed
from vote.domain.person import Role
from vote.web.api.me_models import User
from vote.web.api.models import NEXT, Input, Output

IN_NO_NAME = "~"


class RoleChange(Input):
    """A new role."""

    role: Role


class PersonOut(User):
    """An account as admins see it."""

    disabled_at: datetime | None = Field(description="When the account was disabled; null if it is not.")
    locked_until: datetime | None = Field(
        description="Until when only known devices can log in, after 100 wrong passwords; null if it is not locked."
    )


class Asked(NamedTuple):
    """A search for accounts: the start of a username or a whole email address, and the name to continue after."""

    search: str
    after: str

    @classmethod
    def from_query(cls, args: Mapping[str, str]) -> Self:
        """Return the search in a URL's query. Text that no name can contain matches nobody."""
        texts = (trimmed(args.get(name, "")) for name in ("search", "after"))
        return cls(*(text if text.isprintable() and (text.isascii() or "@" in text) else IN_NO_NAME for text in texts))


class People(Output):
    """A page of accounts by username."""

    people: list[PersonOut]
    next: str | None = Field(description=NEXT)

    @classmethod
    def page(cls, found: list[PersonRow], size: int) -> Self:
        """Return a page of `size` people; `found` holds one more if others follow."""
        return cls(
            people=found[:size],
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
