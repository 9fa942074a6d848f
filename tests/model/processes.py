"""A web process and a frozen worker, without HTTP and without a process: parts that a rule starts, hinders and ends."""

import json
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from psycopg.errors import IdleInTransactionSessionTimeout

from tests.model.clients import HeldLog, HinderedBox
from tests.model.facts import Cast
from tests.model.world import World
from vote.casting.acknowledged_marks import AcknowledgedMarks
from vote.casting.endpoint import VoteEndpoint
from vote.casting.vote_request import VoteRequest
from vote.errors import NotFound, Unavailable, VoteError
from vote.server.problems import status_of
from vote.services.rate_limits import RateLimits
from vote.worker.drain import drain
from vote.worker.make_ready import make_ready


class Web:
    """One web process: its ballot box and the endpoint behind which it stands, without HTTP."""

    def __init__(self, world: World) -> None:
        self.box = HinderedBox(world.settings.log_url, world.installation)
        confirmed = SimpleNamespace(needs_lookup=lambda _: False)
        services: Any = SimpleNamespace(
            settings=world.settings,
            db=world.db,
            installation=world.installation,
            rate_limits=RateLimits.from_settings(world.settings),
            email_confirmation=confirmed,
        )
        self._acknowledged = AcknowledgedMarks(self.box, world.db)
        unused: Any = None
        self._casting = VoteEndpoint(services, self.box, unused, unused, unused)

    async def knows(self, competition: int) -> bool:
        """Whether it takes ballots for this competition at all: it has the receipt key."""
        with suppress(NotFound):
            await self._casting.receipt_keys.key_of(competition)
            return True
        return False

    async def connect(self) -> None:
        """Reach the log again, as it does within a second: it compares what was acknowledged from here (R6)."""
        self.box.compare_soon()
        if self.box._running is not None:
            await self.box._running

    async def have_a_second(self) -> None:
        """Compare, and write down what was acknowledged, as it does once a second."""
        await self.connect()
        self._acknowledged._next_all = 0.0
        await self._acknowledged.write()

    async def press(self, ballot: str, cast: Cast) -> tuple[int, object]:
        """Status and receipt, as a voter is told them."""
        who: Any = SimpleNamespace(user_id=cast.key[1], via="bearer")
        vote = VoteRequest(cast.key[0], who, cast.choice, session={})
        try:
            outcome = await self._casting._cast(vote, ballot_id=ballot)
            response = await self._casting._answer(vote, outcome, as_page=False)
        except VoteError as error:
            return status_of(error), None
        return response.status, json.loads(response.body)["receipt"]


class Zombie:
    """A worker in a thread of its own that stops within one step."""

    def __init__(self, world: World, shard: int, hold: tuple[str, int], *, may_lack_a_tail: bool) -> None:
        self.log, self.error = HeldLog(world.settings.log_url, world.installation), None
        self.log.hold = hold
        cold = not world.is_ready(shard)

        def run() -> None:
            try:
                if cold:
                    make_ready(world.zombie_db, self.log, shard, may_lack_a_tail=may_lack_a_tail)
                else:
                    drain(world.zombie_db, self.log, shard)
            except (Unavailable, IdleInTransactionSessionTimeout):
                pass  # on a slow machine it is frozen for longer than a lock is kept
            except BaseException as error:  # noqa: BLE001 told to the main thread
                self.error = error
            finally:
                self.log.reached.set()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert self.log.reached.wait(60)

    def wake(self) -> None:
        """Let it go on to the end of its step."""
        self.log.go.set()
        self._thread.join(60)
        self.log.close()
        if self.error is not None:
            raise self.error
