"""A person's own votes with their receipts, for the account page and the export."""

from vote.db import votes
from vote.db.pool import Tx
from vote.domain.receipt import receipt_code
from vote.web.api.competition_models import CorrectionOut
from vote.web.api.me_models import OwnVote
from vote.web.pages import corrections


def own_votes(tx: Tx, person: int) -> list[OwnVote]:
    """Return all votes of a person, newest first."""
    found = votes.of_person(tx, person)
    names = corrections.names_of(found)
    return [
        OwnVote(
            competition=vote.competition,
            name=vote.name,
            choice=vote.choice,
            choice_label=vote.choice_label,
            created_at=vote.created_at,
            changed_at=vote.changed_at,
            receipt=receipt_code(vote.receipt_key, person),
            archived=vote.is_archived,
            corrections=CorrectionOut.all_of(vote.corrections, names),
        )
        for vote in found
    ]
