"""No sequence of calls of the admin API takes back what voters relied on: a state machine over the real API.

After the first accepted ballot the words are those people voted on but for corrections that are listed, keys and number of
options and the rules stay, and nobody sees a result earlier than was announced then.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.casting import cast
from tests.integration.clients import ApiClient
from vote.config import Settings
from vote.db.users import Account
from vote.worker import schedule
from vote.worker.worker import Worker

ALL = "/api/admin/competitions"
SHOWS = ("live", "after_vote", "after_close")
ANY = {"If-Match": "*"}
EXAMPLES, STEPS = 40, 14

texts = st.sampled_from(["River", "Hall", "Meadow", "Tent"])
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "name": texts,
        "description": st.sampled_from(["", "One.", "Two."]),
        "options": st.lists(texts, min_size=2, max_size=3, unique=True),
        "allow_change": st.booleans(),
        "results_visibility": st.sampled_from(SHOWS),
        "closes_at": st.sampled_from([None, "2040-01-01T00:00:00Z"]),
        "opens_at": st.sampled_from([None, "2035-01-01T00:00:00Z"]),
        "correction": st.booleans(),
    },
)


class Promises(RuleBasedStateMachine):
    """One competition, its organiser, two voters and a stranger."""

    admin: ClassVar[ApiClient]
    stranger: ClassVar[ApiClient]
    voters: ClassVar[list[tuple[int, ApiClient]]]
    web: ClassVar[Settings]
    worker: ClassVar[Worker]

    @initialize(visibility=st.sampled_from(SHOWS), draft=st.booleans(), allow_change=st.booleans())
    def make(self, visibility: str, draft: bool, allow_change: bool) -> None:
        made = {"name": "Stage?", "options": ["North", "South"], "results_visibility": visibility}
        answer = self.admin.post(ALL, json={**made, "draft": draft, "allow_change": allow_change})
        self.path = f"{ALL}/{answer.get_json()['id']}"
        self.number = answer.get_json()["id"]
        self.announced: dict[str, Any] | None = None
        self.who_voted: set[int] = set()
        self.is_deleted = False

    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = self.admin.get(self.path).get_json()
        return found

    @rule(fields=CHANGES)
    def change(self, fields: dict[str, Any]) -> None:
        assert self.admin.patch(self.path, json=fields, headers=ANY).status_code in (200, 404, 409, 422)

    @rule(step=st.sampled_from(["open", "open", "close", "archive"]))
    def take(self, step: str) -> None:
        assert self.admin.post(f"{self.path}/{step}").status_code in (200, 202, 404, 409)

    @rule()
    def record(self) -> None:
        self.worker.step()
        schedule.finish_closings(self.worker.db)

    @precondition(lambda self: not self.is_deleted)
    @rule(who=st.integers(0, 1), choice=st.sampled_from("ab"))
    def vote(self, who: int, choice: str) -> None:
        before = self.shown()
        if cast(self.web, self.number, self.voters[who][0], choice).result in ("accepted", "changed", "again"):
            self.who_voted.add(who)
            self.announced = self.announced or before

    @precondition(lambda self: not self.is_deleted)
    @rule()
    def delete(self) -> None:
        status = self.admin.delete(self.path, headers=ANY).status_code
        self.is_deleted = status == 204
        assert not (self.is_deleted and self.announced), "somebody has voted in it"

    @invariant()
    def words_and_rules_stay(self) -> None:
        if not self.announced or self.is_deleted:
            return
        now = self.shown()
        assert now["allow_change"] == self.announced["allow_change"]
        assert [one["key"] for one in now["options"]] == [one["key"] for one in self.announced["options"]]
        words = words_of(self.announced)
        for one in now["corrections"][len(self.announced["corrections"]) :]:
            assert words[one["field"]] == one["before"], "each correction says what was there"
            words[one["field"]] = one["after"]
        assert words_of(now) == words

    @invariant()
    def nothing_is_shown_earlier(self) -> None:
        if not self.announced or self.is_deleted:
            return
        now, announced = self.shown(), SHOWS.index(self.announced["results_visibility"])
        if now["state"] in ("closed", "archived"):
            return
        people = [(None, self.stranger), *((who, client) for who, (_, client) in enumerate(self.voters))]
        for who, client in people:
            if client.get(f"/api/competitions/{self.number}/results").status_code == 200:
                assert announced == 0 or (announced == 1 and who in self.who_voted)


def words_of(shown: dict[str, Any]) -> dict[str, str]:
    """All words that people vote on, by the names corrections have."""
    labels = {f"option_{one['key']}": one["label"] for one in shown["options"]}
    return {"name": shown["name"], "description": shown["description"], **labels}


@contextmanager
def furnished(**services: Any) -> Iterator[None]:
    """The machine with its people; Hypothesis makes the instances itself."""
    for name, value in services.items():
        setattr(Promises, name, value)
    yield


def test_no_sequence_of_calls_takes_back_what_voters_relied_on(
    admin: ApiClient, api: ApiClient, as_user: Callable[[Account], ApiClient], make_user: Callable[..., Account],
    worker: Worker, pytestconfig: pytest.Config,
) -> None:  # fmt: skip
    people = [make_user(), make_user()]
    web: Settings = api.app.extensions["vote"].settings
    with furnished(
        admin=admin, stranger=api, voters=[(one.id, as_user(one)) for one in people], web=web, worker=worker
    ):
        run_state_machine_as_test(
            Promises,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
