"""Who corrected the words of competitions, by name: asked only where there is a correction at all."""

from collections.abc import Iterable
from typing import Protocol

from vote.db import users
from vote.domain.competition import Correction
from vote.web import request_context


class Corrected(Protocol):
    """Carries corrections: a competition, or a vote in one."""

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """Return them, oldest first."""


def names_of(found: Iterable[Corrected]) -> dict[int, str]:
    """The present usernames of all who corrected something in these; deleted accounts are left out."""
    ids = {correction.by for one in found for correction in one.corrections if correction.by is not None}
    if not ids:
        return {}
    with request_context.services().db.read() as tx:
        return {account.id: account.username for account in users.find_many(tx, ids)}
