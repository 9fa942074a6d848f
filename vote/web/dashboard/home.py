"""The dashboard's first page: the competitions that someone manages, newest first."""

from flask import Blueprint, render_template

from vote.actions import closing
from vote.db import account_locks, competition_lists, gaps, quarantine, tallies
from vote.web import access, request_context
from vote.web.access import ORGANISER
from vote.web.api import paging
from vote.web.dashboard.competition_page import done_sentence
from vote.web.dashboard.lifecycle import steps_of
from vote.web.pages import pending_ballots

dashboard_home = Blueprint("dashboard", __name__, url_prefix="/admin")


@dashboard_home.get("")
@access.rule(ORGANISER)
def show() -> str:
    """Show the managed competitions with tonight's figures."""
    me, services, after = request_context.me(), request_context.services(), paging.after()
    with services.db.read() as tx:
        found, following = competition_lists.managed(tx, None if me.role == "admin" else me.id, after=after)
        counts = tallies.read(tx, [one.id for one in found])
        page = render_template(
            "dashboard.html",
            found=found,
            after=after,
            next=following,
            counts=counts,
            pending=pending_ballots.ballots(services, tx),
            waits={
                one.id
                for one in found
                if one.state == "closing" and closing.close_blockers(tx, one).needs_admin_decision
            },
            open_gaps=gaps.count_open(tx) if me.role == "admin" else 0,
            had_gaps=me.role == "admin" and gaps.were_there(tx),
            aside=quarantine.counts(tx).total if me.role == "admin" else 0,
            locked=account_locks.count(tx) if me.role == "admin" else 0,
            steps_of=steps_of,
            done=done_sentence("archived"),
        )
    return page
