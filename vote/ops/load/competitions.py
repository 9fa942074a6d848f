"""What is voted in: competitions made for one load, closed after it, and archived, so that no page shows them.

Closing is also how a load waits: a competition is closed only when everything that was accepted in it is recorded.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vote.errors import Conflict, NotAllowed, NotFound
from vote.ops.load.api import Api

LOOK_EVERY_S = 0.2
LEAVE_WITHIN_S = 15.0  # for a load that was broken off to become final; one that ended is already
KEYS = ("a", "b")  # options of those made here


@contextlib.contextmanager
def made(api: Api, name: str, count: int, *, keep: bool) -> Iterator[list[int]]:
    """So many open competitions; afterwards closed, and archived unless they are kept. `api` is an organiser's."""
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
                raise NotAllowed(f"Making a competition was refused. {reply.detail}")
            ids.append(reply.json["id"])
        yield ids
    finally:
        settle_own(api, ids, within=LEAVE_WITHIN_S)  # only what is final can be archived
        for one in () if keep else ids:
            api.ask("POST", f"/api/admin/competitions/{one}/archive")


def given(api: Api, competition: int) -> tuple[str, ...]:
    """The option keys of one that is there. Raises unless it is open and nobody has voted in it: a load would falsify it."""
    shown = api.ask("GET", f"/api/competitions/{competition}")
    if shown.status != 200:
        raise NotFound(f"There is no competition {competition} to be seen. {shown.detail}")
    if shown.json["state"] != "open" or shown.json["allow_change"]:
        raise Conflict(f"Competition {competition} must be open, and one in which votes cannot be changed.")
    if total(tally(api, competition)):
        raise Conflict(
            f"People have voted in competition {competition}, and votes of a load stay: it would be falsified."
        )
    return tuple(option["key"] for option in shown.json["options"])


def tally(api: Api, competition: int) -> dict[str, int]:
    """The tally as people see it. Raises NotAllowed where it is not shown."""
    reply = api.ask("GET", f"/api/competitions/{competition}/results")
    if reply.status != 200:
        raise NotAllowed(
            f"The results of competition {competition} are not shown: give its organiser's token. {reply.detail}"
        )
    counts: dict[str, int] = reply.json["options"]
    return counts


def total(counts: dict[str, int]) -> int:
    """Votes in a tally."""
    return sum(counts.values())


def settle_own(api: Api, ids: Sequence[int], *, within: float) -> bool:
    """Close them all and wait until each is final. False when one is not at the deadline."""
    for one in ids:
        api.ask("POST", f"/api/admin/competitions/{one}/close")

    def is_closed(one: int) -> bool:
        shown: Any = api.ask("GET", f"/api/admin/competitions/{one}").json
        return bool(shown["state"] == "closed")

    return _wait(lambda: all(is_closed(one) for one in ids), within)


def settle_given(api: Api, competition: int, accepted: int, *, within: float) -> bool:
    """Wait until as many votes are counted as were accepted. False when they are not at the deadline."""
    return _wait(lambda: total(tally(api, competition)) >= accepted, within)


def _wait(condition: Callable[[], bool], within: float) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
