"""A steady open-loop load over several webs, which can be taken out of it and put back as nginx does.

200 ballots a second by tokens, each by a voter who has not voted there yet; with them people read pages, register and log
in, because those run SQL of the web that ballots do not. It runs in a thread with an event loop of its own.
"""

import asyncio
import contextlib
import json
import random
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from tests.conftest import JWT_SECRET, PASSWORD
from tests.deploy.upgrade.stage import Stage
from tests.stack import wait_until
from tests.synthetic_voters import Ballot
from vote.auth import create_jwt_token
from vote.ops.load import target
from vote.ops.load.client import Client, HttpAnswer, pace
from vote.ops.load.target import http_request, vote_request

RATE = 200.0  # ballots a second
CONNECTIONS = 32  # to each web
ANSWER_WITHIN_S = 20.0
DRAIN_S = 20.0
READ_EVERY = 20  # ballots: ten pages a second
REGISTER_EVERY = 800  # ballots: every four seconds, since a password costs 0.3 s of a core, and so does a login


class Traffic:
    """The load. Its figures belong to the stage in which a request is sent. Use `running`."""

    def __init__(self, ballots: Sequence[Ballot], ports: Sequence[int]) -> None:
        self.statuses: dict[int, int] = {}  # of each ballot that was answered, by its place in `ballots`
        self.sent_again = 0
        self._ballots = ballots
        self._tokens = {voter: create_jwt_token(voter, secret=JWT_SECRET) for voter in {one.voter for one in ballots}}
        self._targets = {port: target.parse(f"http://127.0.0.1:{port}") for port in ports}
        self._clients: dict[int, Client] = {}
        self._registered: list[str] = []
        self._dice = random.Random(len(ballots))
        self.stage = Stage()
        self._loop = asyncio.new_event_loop()
        self._is_over = threading.Event()

    @contextlib.contextmanager
    def running(self) -> Iterator["Traffic"]:
        """Send until the end of the block; then every request has its answer, or none."""
        for port in self._targets:
            self._clients[port] = self._client(port)
        thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()], name="traffic")
        thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            thread.join()
            self._loop.close()

    def begin_stage(self) -> None:
        """Count what is sent from now on in a new stage."""
        self.stage = Stage()

    def take_out(self, port: int) -> None:
        """Send nothing more to this web, wait for its answers, and close the connections."""
        self._do(self._take_out(port))

    def put_back(self, port: int) -> None:
        """Send to this web again."""
        self._do(self._put_back(port))

    def wait_for(self, votes: int) -> None:
        """Return when so many ballots more were answered in this stage, or a request failed."""
        stage = self.stage
        wanted = stage.votes + votes
        wait_until(
            lambda: stage.votes >= wanted or stage.failed or self._is_over.is_set(),
            what=f"{votes} ballots are answered",
            within=votes / RATE + 2 * ANSWER_WITHIN_S,
        )
        assert not self._is_over.is_set(), (
            f"all {len(self._ballots):,} ballots were cast before the end of {stage.name}"
        )

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(2 * DRAIN_S)

    def _client(self, port: int) -> Client:
        return Client(self._targets[port], CONNECTIONS, answer_within_s=ANSWER_WITHIN_S)

    async def _put_back(self, port: int) -> None:
        self._clients.setdefault(port, self._client(port))

    async def _take_out(self, port: int) -> None:
        client = self._clients.pop(port)
        await client.drain(DRAIN_S)
        await client.__aexit__()
        self.sent_again += client.sent_again

    async def _run(self) -> None:
        async for number, due in pace(len(self._ballots), RATE):
            if self._is_over.is_set():
                break
            self.stage.late_s = max(self.stage.late_s, time.monotonic() - due)
            self._cast(number, due)
            if number % READ_EVERY == 0:
                self._read(self._ballots[number])
            if number % REGISTER_EVERY == 0:
                self._register(f"newcomer-{number}")
            elif number % REGISTER_EVERY == REGISTER_EVERY // 2 and self._registered:
                self._log_in(self._registered[-1])
        self._is_over.set()
        for client in [*self._clients.values()] * 2:  # again, for what was asked because of an answer
            await client.drain(DRAIN_S)
        for port in list(self._clients):
            await self._take_out(port)

    def _cast(self, number: int, due: float) -> None:
        port, ballot, stage = self._any_web(), self._ballots[number], self.stage

        def note(answer: HttpAnswer) -> None:
            self.statuses[number] = answer.status
            stage.note_vote(answer, time.monotonic() - due, f"ballot through {port}")

        stage.sent += 1
        request = vote_request(self._targets[port], ballot.competition, self._tokens[ballot.voter], ballot.choice)
        self._clients[port].send(request, note)

    def _read(self, ballot: Ballot) -> None:
        one = ballot.competition
        paths = (
            "/",
            f"/vote/{one}",
            f"/results/{one}",
            f"/api/competitions/{one}/results",
            "/api/competitions",
            "/api/me",
        )
        path = self._dice.choice(paths)
        self._ask("GET", path, token=self._tokens[ballot.voter] if path == "/api/me" else "")

    def _register(self, name: str) -> None:
        form = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "confirm_password": PASSWORD}
        self._ask("POST", "/register", form, expected=201, then=lambda _said: self._registered.append(name))

    def _log_in(self, name: str) -> None:
        form = {"username": name, "password": PASSWORD}
        self._ask("POST", "/login", form, then=lambda said: self._ask("GET", "/api/me", token=said["token"]))

    def _ask(
        self, method: str, path: str, body: object = None, *, token: str = "", expected: int = 200, then: Any = None
    ) -> None:
        """Send a request beside the ballots; `then` gets the JSON of the expected answer."""
        port, stage = self._any_web(), self.stage
        headers = [f"Authorization: Bearer {token}"] if token else []
        headers += ["Content-Type: application/json"] if body else []
        content = json.dumps(body) if body else ""

        def note(answer: HttpAnswer) -> None:
            stage.note(answer, expected, f"{method} {path} through {port}")
            if then is not None and answer.status == expected:
                then(json.loads(answer.body))

        stage.sent += 1
        self._clients[port].send(http_request(self._targets[port], method, path, *headers, body=content), note)

    def _any_web(self) -> int:
        """Return the port of one that is not taken out."""
        return self._dice.choice(list(self._clients))
