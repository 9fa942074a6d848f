"""Competitions of a load: created for it, closed afterwards and archived, so that no page shows them.

Closing is also how a load waits: a competition is closed only once every accepted ballot in it is recorded.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vote.errors import Conflict, NotAllowed, NotFound
from vote.ops.load.api import Api

LOOK_EVERY_S = 0.2
LEAVE_WITHIN_S = 15.0  # for an interrupted load to become final; a completed one already is
KEYS = ("a", "b")  # options of the competitions made here


@contextlib.contextmanager
def made(api: Api, name: str, count: int, *, keep: bool) -> Iterator[list[int]]:
    """Yield the ids of `count` open competitions; close them afterwards, and archive them unless `keep`. `api` is an
    organiser's.
    """
    ids: list[int] = []
    try:
        for number in range(1, count + 1):
            body = {
                "name": f"{name}, {number} of {count}",
                "options": ["Load a", "Load b"],
                "description": "A load test.",
            }
            reply = api.ask("POST", "/api/admin/competitions", body)
            if reply.status != 201:
                raise NotAllowed(f"Creating a competition was refused. {reply.detail}")
            ids.append(reply.json["id"])
        yield ids
    finally:
        settle_own(api, ids, within=LEAVE_WITHIN_S)  # only final competitions can be archived
        for competition in () if keep else ids:
            api.ask("POST", f"/api/admin/competitions/{competition}/archive")


def given(api: Api, competition: int) -> tuple[str, ...]:
    """Return the option keys of an existing competition. Raises NotFound, or Conflict unless it is open and has no votes."""
    reply = api.ask("GET", f"/api/competitions/{competition}")
    if reply.status != 200:
        raise NotFound(f"Competition {competition} does not exist or is not visible. {reply.detail}")
    if reply.json["state"] != "open" or reply.json["allow_change"]:
        raise Conflict(f"Competition {competition} must be open and must not allow changing votes.")
    if total(tally(api, competition)):
        raise Conflict(
            f"People have voted in competition {competition}. A load would falsify its result: use an unused competition."
        )
    return tuple(option["key"] for option in reply.json["options"])


def tally(api: Api, competition: int) -> dict[str, int]:
    """Return the tally as people see it. Raises NotAllowed if it is hidden."""
    reply = api.ask("GET", f"/api/competitions/{competition}/results")
    if reply.status != 200:
        raise NotAllowed(
            f"The results of competition {competition} are hidden: pass its organiser's token. {reply.detail}"
        )
    counts: dict[str, int] = reply.json["options"]
    return counts


def total(counts: dict[str, int]) -> int:
    """Return the number of votes in a tally."""
    return sum(counts.values())


def settle_own(api: Api, ids: Sequence[int], *, within: float) -> bool:
    """Close the competitions and wait until all are final. Returns False if one is not after `within` seconds."""
    for competition in ids:
        api.ask("POST", f"/api/admin/competitions/{competition}/close")

    def is_closed(competition: int) -> bool:
        answer: Any = api.ask("GET", f"/api/admin/competitions/{competition}").json
        return bool(answer["state"] == "closed")

    return _wait(lambda: all(is_closed(competition) for competition in ids), within)


def settle_given(api: Api, competition: int, accepted: int, *, within: float) -> bool:
    """Wait until every accepted vote is counted. Returns False if one is not after `within` seconds."""
    return _wait(lambda: total(tally(api, competition)) >= accepted, within)


def _wait(condition: Callable[[], bool], within: float) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
