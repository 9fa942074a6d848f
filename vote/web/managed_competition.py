"""Look up a competition for somebody who manages it; shared by the dashboard and the admin API."""

from vote.db import competitions
from vote.db.pool import Tx
from vote.domain import policy
from vote.domain.competition import Competition
from vote.errors import NoSuchCompetition
from vote.web import request_context


def find_managed(tx: Tx, competition_id: int) -> Competition:
    """Return the competition. Raises NoSuchCompetition, or NotAllowed when whoever asks does not manage it."""
    found = competitions.find(tx, competition_id)
    if found is None:
        raise NoSuchCompetition
    policy.check_manage(request_context.person(), found)
    return found
