"""Who corrected the words of competitions, by name: asked only where there is a correction at all."""

from collections.abc import Iterable

from vote.db import users
from vote.domain.competition import Competition
from vote.web import visitor


def names_of(found: Iterable[Competition]) -> dict[int, str]:
    """The present usernames of all who corrected something in these; deleted accounts are left out."""
    ids = {correction.by for one in found for correction in one.corrections if correction.by is not None}
    if not ids:
        return {}
    with visitor.parts().db.read() as tx:
        return {account.id: account.username for account in users.find_many(tx, ids)}
