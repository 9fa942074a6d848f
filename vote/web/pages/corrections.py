"""Looks up who made corrections, by username, and only for competitions that have any."""

from collections.abc import Iterable

from vote.db import users
from vote.db.votes import VoteRecord
from vote.domain.competition import Competition
from vote.web import request_context


def names_of(found: Iterable[Competition | VoteRecord]) -> dict[int, str]:
    """Return the current usernames of everyone who made a correction in these; deleted accounts are left out."""
    ids = {correction.by for one in found for correction in one.corrections if correction.by is not None}
    if not ids:
        return {}
    with request_context.services().db.read() as tx:
        return {account.id: account.username for account in users.find_many(tx, ids)}
