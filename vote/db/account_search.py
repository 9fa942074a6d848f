"""Accounts as admins see them: searched by name, page by page. Changes to them are in `users.py`."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from vote.db.pool import Tx
from vote.domain.folding import email_key
from vote.domain.person import Role
from vote.errors import NO_SUCH_ACCOUNT, NotFound

# The expression of the index users_username_key (`username_key`): it sorts all names and finds prefixes.
_KEY: LiteralString = 'lower(username COLLATE "C")'
_AFTER_ALL_LETTERS = "~"  # sorts after every character of a name


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """An account without its password hash."""

    id: int
    username: str
    email: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    locked_until: datetime | None


_PERSON: LiteralString = """
    SELECT id, username, email, role, created_at, disabled_at,
           (SELECT l.expires_at FROM login_locks l WHERE l.user_id = users.id AND l.expires_at > now()) AS locked_until
    FROM users WHERE erased_at IS NULL
"""


def get(tx: Tx, user_id: int) -> PersonRow:
    """Return the account with this id. Raises NotFound."""
    person = tx.cursor(row_factory=class_row(PersonRow)).execute(f"{_PERSON} AND id = %s", (user_id,)).fetchone()
    if person is None:
        raise NotFound(NO_SUCH_ACCOUNT)
    return person


def listed(tx: Tx, *, search: str = "", after: str = "", limit: int) -> list[PersonRow]:
    """Return accounts by name, at most `limit` after the name `after` (keyset pagination).

    `search` is the beginning of a name, or a whole email address.
    """
    parameters = {
        "search": search.lower(),
        "email": email_key(search),
        "end": search.lower() + _AFTER_ALL_LETTERS,
        "after": after.lower(),
        "limit": limit,
    }
    if "@" in search:
        query = f"{_PERSON} AND email_key = %(email)s AND {_KEY} > %(after)s ORDER BY {_KEY} LIMIT %(limit)s"
    else:
        query = (
            f"{_PERSON} AND {_KEY} >= %(search)s AND {_KEY} < %(end)s AND {_KEY} > %(after)s"
            f" ORDER BY {_KEY} LIMIT %(limit)s"
        )
    return tx.cursor(row_factory=class_row(PersonRow)).execute(query, parameters).fetchall()
