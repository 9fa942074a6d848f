"""What open pages are told: state without figures for whoever may see the competition, and the same table by the API."""

from collections.abc import Callable
from typing import Any, get_type_hints

from tests.integration.live.conftest import Site, close_code, snapshot
from vote.actions import closing, competitions
from vote.ballotlog.log import BallotLog
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.page_state import PageState, page_state
from vote.domain.person import Person
from vote.web.api.competition_models import CompetitionOut
from vote.worker.worker import Worker

Make = Callable[..., Competition]
FIELDS = get_type_hints(PageState).keys()


def state_of(message: dict[str, Any]) -> tuple[Any, ...]:
    return message["state"], message["final"], message["corrections"]


def test_a_stranger_hears_of_the_close_without_a_figure(
    site: Site, make_competition: Make, owner: Database, log: BallotLog, organiser: Person, worker: Worker,
    count_votes: Callable[..., None],
) -> None:  # fmt: skip
    one = make_competition(results_visibility="after_close").id
    assert site.refused(one) == site.refused(f"{one}?kind=page") == 403, "figures are hidden as before"
    opened = site.open(f"{one}?kind=state")
    told = [snapshot(opened)]
    count_votes(one, a=2)
    competitions.change(owner, log, one, by=organiser, if_match=None, correction=True, name="What stage?")
    told.append(snapshot(opened))
    competitions.close_voting(owner, log, one, by=organiser)
    told.append(snapshot(opened))
    worker.step()
    closing.finish_closing(owner, one, by="tests")
    told.append(snapshot(opened))

    assert [state_of(message) for message in told] == [
        ("open", False, 0),
        ("open", False, 1),
        ("closing", False, 1),
        ("closed", True, 1),
    ]
    versions = [message["version"] for message in told]
    assert versions == sorted(set(versions)), "growing, and no vote is a message"
    for message in told:
        assert message.keys() == {"competition", "version", *FIELDS}


def test_a_page_with_figures_gets_both_in_one_message(site: Site, make_competition: Make, count_votes: Any) -> None:
    one = make_competition().id
    plain, page = site.open(one), site.open(f"{one}?kind=page")
    assert snapshot(plain).keys() == {"competition", "version", "state", "total", "options"}
    first = snapshot(page)
    count_votes(one, a=1)
    second = snapshot(page)

    assert first["page"].keys() == FIELDS
    assert {name: value for name, value in second.items() if name != "page"} == snapshot(plain)
    assert second["total"] == 1


def test_the_state_of_a_draft_or_an_archived_one_is_for_who_runs_it(
    site: Site, make_competition: Make, owner: Database, log: BallotLog, organiser: Person, worker: Worker
) -> None:
    mine = {"origin": site.origin, "cookie": site.cookie(organiser.id)}
    draft, one = make_competition(draft=True).id, make_competition().id
    assert site.refused(f"{draft}?kind=state") == 404
    assert site.refused(f"{draft}?kind=state", **mine) == 101
    stranger = site.open(f"{one}?kind=state")
    competitions.close_voting(owner, log, one, by=organiser)
    worker.step()
    closing.finish_closing(owner, one, by="tests")

    competitions.archive(owner, log, one, by=organiser)

    assert close_code(stranger) == 4404
    assert site.refused(f"{one}?kind=state") == 404
    own = site.open(f"{one}?kind=state", **mine)
    assert snapshot(own)["state"] == "archived"


def test_socket_and_api_have_one_table(
    make_competition: Make, make_user: Callable[..., Account], owner: Database, log: BallotLog, organiser: Person
) -> None:
    one = make_competition(results_visibility="after_vote")
    changed = competitions.change(owner, log, one.id, by=organiser, if_match=None, correction=True, name="What?")

    api = CompetitionOut.from_competition(changed, {}).model_dump(mode="json")
    socket: Any = page_state(changed)

    assert api.keys() >= FIELDS
    api["corrections"] = len(api["corrections"])
    assert {name: api[name] for name in FIELDS} == socket
