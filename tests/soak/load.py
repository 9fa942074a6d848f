"""The people of the soak, in an open loop: each thing happens at its time, whatever became of the others.

Competitions follow one another; in each the same people vote, press again, change where that is allowed, and it is closed,
counted against what everybody was told, and archived. Meanwhile others read pages, register, log in and out, and watch.
"""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.conftest import PASSWORD
from tests.storm import verdict
from tests.storm.people import Crowd, Ticket
from tests.storm.recorder import Recorder
from vote.errors import VoteError
from vote.ops.load import target
from vote.ops.load.client import Client, HttpAnswer, pace
from vote.ops.load.provisioning import close_and_settle
from vote.ops.load.target import Api, http_request

ROUND_S = 30.0  # in which one competition is voted in
FINAL_WITHIN_S = 60.0
STAYS_S = (1.0, 20.0)  # a watcher
ANSWER_WITHIN_S = 30.0
CALLERS = 48  # requests under way at once; more wait for a turn, and none is left out


class Rates(NamedTuple):
    """How many a second."""

    votes: float = 40.0
    pages: float = 8.0
    watchers: float = 2.0
    logins: float = 0.3  # each costs some 0.3 s of a core
    registrations: float = 0.15


class Load:
    """All of them, against one deployment. `asked` and `failed` count what was done, and what was not answered as it should
    be; `wrong` has a sentence for each vote that was lost, doubled or invented.
    """

    def __init__(
        self, url: str, *, secret: str, database: str, organiser: str, voters: list[int], folder: Path, rates: Rates
    ) -> None:
        self._url, self._target = url, target.parse(url)
        self._secret, self._database, self._organiser = secret, database, organiser
        self._voters, self._folder, self._rates = voters, folder, rates
        self._dice = random.Random(len(voters))
        self._client = Client(self._target, CALLERS, answer_within_s=ANSWER_WITHIN_S)
        self._open: list[int] = []
        self._people: list[str] = []
        self.asked, self.failed = Counter[str](), Counter[str]()
        self.votes = 0
        self.wrong: list[str] = []

    async def run(self, seconds: float) -> None:
        """Go on for so long; then wait for everything that has begun."""
        rates = self._rates
        async with (
            self._client,
            asyncio.TaskGroup() as group,
        ):  # whatever goes wrong here ends it: it would show nothing
            group.create_task(self._round(0))
            await asyncio.sleep(1.0)
            group.create_task(self._every(ROUND_S, seconds, self._round, late=ROUND_S - 1.0))
            group.create_task(self._every(1 / rates.pages, seconds, self._read))
            group.create_task(self._every(1 / rates.registrations, seconds, self._register))
            group.create_task(self._every(1 / rates.logins, seconds, self._log_in_and_out))
            group.create_task(self._every(1 / rates.watchers, seconds, self._watch))

    async def _every(
        self, pause_s: float, seconds: float, do: Callable[[int], Coroutine[Any, Any, None]], *, late: float = 0.0
    ) -> None:
        await asyncio.sleep(late)
        async with asyncio.TaskGroup() as group:
            async for number, _ in pace(int((seconds - late) / pause_s), 1 / pause_s):
                group.create_task(do(number + 1))

    async def _ask(
        self, what: str, method: str, path: str, body: object = None, *, good: Sequence[int] = (200,), token: str = ""
    ) -> HttpAnswer:
        """Send one request, over a connection of its own as a newcomer does, and count it."""
        headers = ["Connection: close", *([f"Authorization: Bearer {token}"] if token else [])]
        if body is not None:
            headers.append("Content-Type: application/json")
        content = "" if body is None else json.dumps(body)
        self.asked[what] += 1
        answer = await self._client.ask(http_request(self._target, method, path, *headers, body=content))
        if answer.status not in good:
            self.failed[f"{what}: {answer.status}"] += 1
        return answer

    async def _read(self, number: int) -> None:
        one = self._dice.choice(self._open) if self._open else 1
        paths = ["/", f"/vote/{one}", f"/results/{one}", "/api/competitions", f"/api/competitions/{one}/results"]
        await self._ask("page", "GET", paths[number % len(paths)], good=(200, 404))  # it may just have been archived

    async def _register(self, number: int) -> None:
        name = f"newcomer-{number}"
        form = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "confirm_password": PASSWORD}
        answer = await self._ask("registration", "POST", "/register", form, good=(201,))
        if answer.status == 201:
            self._people.append(name)

    async def _log_in_and_out(self, _number: int) -> None:
        if not self._people:
            return
        form = {"username": self._dice.choice(self._people), "password": PASSWORD}
        answer = await self._ask("log-in", "POST", "/login", form)
        if answer.status == 200:
            token = json.loads(answer.body)["token"]
            await self._ask("own page", "GET", "/api/me", token=token)
            await self._ask("log-out", "POST", "/logout", {}, good=(204,), token=token)

    async def _watch(self, number: int) -> None:
        one = self._dice.choice(self._open) if self._open else 1
        self.asked["watcher"] += 1
        until = time.monotonic() + self._dice.uniform(*STAYS_S)
        try:
            async with connect(f"{self._url.replace('http', 'ws', 1)}/live/{one}", compression=None) as socket:
                with contextlib.suppress(TimeoutError, WebSocketException):  # ended when it is archived
                    while True:
                        await asyncio.wait_for(socket.recv(), max(0.0, until - time.monotonic()))
                if number % 2:
                    socket.transport.abort()  # gone without a word
        except (OSError, TimeoutError, WebSocketException) as error:
            if "404" not in str(error):
                self.failed[f"watcher: {error}"] += 1

    async def _round(self, number: int) -> None:
        try:
            with contextlib.closing(Api(self._target, self._organiser)) as api:
                await self._hold(number, api)
        except VoteError as error:
            self.wrong.append(f"round {number}: {error}")

    async def _hold(self, number: int, api: Api) -> None:
        """One competition, from its opening to its place in the archive."""
        may_change = number % 2 == 1
        fields = {"name": f"Round {number}", "option_a": "River", "option_b": "Hall", "allow_change": may_change}
        made = await asyncio.to_thread(api.ask, "POST", "/api/admin/competitions", fields)
        one = made.json["id"]
        self._open.append(one)
        people = self._dice.sample(self._voters, int(self._rates.votes * ROUND_S))
        tickets = [Ticket(one, voter, may_change) for voter in people]
        path = self._folder / f"round-{number}.jsonl"
        with contextlib.closing(Recorder(path)) as recorder:
            await Crowd(self._url, self._secret, recorder, self._dice).run(tickets, seconds=ROUND_S)
            settled = await asyncio.to_thread(close_and_settle, api, [one], within=FINAL_WITHIN_S)
            self._open.remove(one)
            books = await asyncio.to_thread(verdict.read_books, self._database, one)
            found = verdict.judge(recorder.read(), tickets, books)
            await asyncio.to_thread(api.ask, "POST", f"/api/admin/competitions/{one}/archive")
        path.unlink()
        self.votes += len(books.votes)
        if not (settled and found.is_clean):
            self.wrong.append(f"round {number}: {'' if settled else 'not final, '}{found.line()}")
