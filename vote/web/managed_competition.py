"""Looks up a competition for someone who manages it; shared by the dashboard and the admin API."""

from vote.db import competitions
from vote.db.pool import Tx
from vote.domain import policy
from vote.domain.competition import Competition
from vote.web import request_context


def find_managed(tx: Tx, competition_id: int) -> Competition:
    """Return the competition. Raises NoSuchCompetition, or NotAllowed if the logged-in person does not manage it."""
    found = competitions.get(tx, competition_id)
    policy.check_manage(request_context.person(), found)
    return found
