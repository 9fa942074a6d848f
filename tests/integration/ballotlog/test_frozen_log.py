"""A log that is frozen, or behind a connection that leads nowhere: each press is told in time, and nothing is sent late."""

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests import proxy
from tests.casting import installation_of
from tests.proxy import Proxy
from tests.servers import Pair
from vote import redis_client, tcp_keepalive
from vote.ballotlog import box_connection
from vote.ballotlog.ballot_box import BallotBox, Outcome
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.domain.ballot import Ballot
from vote.domain.competition import Competition
from vote.errors import LogUnavailable
from vote.worker.worker import Worker

Make = Callable[..., Competition]
FROZEN_S = 6.0
PRESS_EVERY_S = 0.02
ANSWERED_WITHIN_S = 2.0  # promised of a press, of which the box has ANSWER_WITHIN_S


@pytest.fixture
def between(settings: Settings) -> Iterator[tuple[Proxy, str]]:
    with proxy.before_redis(settings.log_url) as found:
        yield found


async def press_on(box: BallotBox, competition: int, *, seconds: float) -> list[tuple[float, bool]]:
    """Press evenly, whoever is still waiting. How long each press took, and whether it was accepted."""

    async def press(voter: int) -> tuple[float, bool]:
        began = time.monotonic()
        try:
            await box.cast(competition=competition, voter=voter, choice="a", ballot_id=secrets.token_hex(16))
        except LogUnavailable:
            return time.monotonic() - began, False
        return time.monotonic() - began, True

    tasks = []
    for number in range(int(seconds / PRESS_EVERY_S)):
        tasks.append(asyncio.create_task(press(1_000 + number)))
        await asyncio.sleep(PRESS_EVERY_S)
    return [await task for task in tasks]


def test_each_press_is_told_in_time_while_the_log_is_frozen(
    settings: Settings, log: BallotLog, worker: Worker, servers: Pair, make_competition: Make
) -> None:
    competition = make_competition()

    async def run() -> tuple[list[tuple[float, bool]], list[tuple[float, bool]]]:
        box = BallotBox(settings.log_url, settings.vote_shards, installation_of(settings))
        before = await press_on(box, competition.id, seconds=1)
        servers.freeze_log()
        try:
            return before, await press_on(box, competition.id, seconds=FROZEN_S)
        finally:
            servers.thaw_log()
            await box.close()

    before, told = asyncio.run(run())

    assert {accepted for _, accepted in told} == {False}
    assert max(seconds for seconds, _ in told) < ANSWERED_WITHIN_S + max(seconds for seconds, _ in before)
    at_once = [seconds for seconds, _ in told if seconds < box_connection.WAIT_S / 2]
    assert len(at_once) > len(told) / 3, "a log that is known to be frozen is waited for by each press"


def test_what_waited_too_long_behind_a_stuck_call_is_not_sent_any_more(
    settings: Settings, log: BallotLog, worker: Worker, between: tuple[Proxy, str], make_competition: Make
) -> None:
    """Only the connection is dead: a new one works, and what is told 503 must not land over it."""
    (flow, url), competition = between, make_competition()

    async def run() -> tuple[float, list[tuple[float, bool]]]:
        box, began = BallotBox(url, settings.vote_shards, installation_of(settings)), time.monotonic()
        await box.cast(competition=competition.id, voter=1, choice="a", ballot_id=secrets.token_hex(16))
        usual = time.monotonic() - began
        flow.silence_open()
        told = await press_on(box, competition.id, seconds=FROZEN_S / 2)
        await box.close()
        return usual, told

    usual, told = asyncio.run(run())
    entries = [entry.content for shard in range(log.shards) for entry in log.read_after(shard, 0, 10_000)]
    stored = {entry.voter for entry in entries if isinstance(entry, Ballot)} - {1}

    assert max(seconds for seconds, _ in told) < ANSWERED_WITHIN_S + usual
    assert stored == {1_000 + number for number, (_, accepted) in enumerate(told) if accepted}
    assert stored, "a new connection was made by itself"


def test_who_waited_too_long_is_refused_unsent_and_takes_nobody_along(
    settings: Settings, log: BallotLog, worker: Worker, make_competition: Make
) -> None:
    competition = make_competition()

    async def run() -> list[object]:
        box = BallotBox(settings.log_url, settings.vote_shards, installation_of(settings))
        casting = asyncio.gather(
            *(
                box.cast(competition=competition.id, voter=voter, choice="a", ballot_id=secrets.token_hex(16))
                for voter in (1, 2)
            ),
            return_exceptions=True,
        )
        await asyncio.sleep(0)  # both are in the box
        box._queue[0] = box._queue[0]._replace(since=time.monotonic() - 60)  # as behind a call that was stuck
        outcomes: list[object] = await casting
        await box.close()
        return outcomes

    told = dict(enumerate(asyncio.run(run()), 1))

    assert isinstance(told[1], LogUnavailable)
    assert isinstance(told[2], Outcome)
    assert told[2].result == "accepted"
    assert log.stored_choice(competition.id, 1) is None, "what was told 503 was not sent"


def test_a_log_that_thaws_takes_ballots_again(
    settings: Settings, log: BallotLog, worker: Worker, servers: Pair, make_competition: Make
) -> None:
    competition = make_competition()

    async def run() -> bool:
        box = BallotBox(settings.log_url, settings.vote_shards, installation_of(settings))
        servers.freeze_log()
        try:
            refused = await press_on(box, competition.id, seconds=1)
        finally:
            servers.thaw_log()
        assert not any(accepted for _, accepted in refused)
        accepted = [one for _, one in await press_on(box, competition.id, seconds=5)]
        await box.close()
        return all(accepted[len(accepted) // 2 :])

    assert asyncio.run(run())


def test_idle_connections_to_the_log_are_probed_by_the_kernel(between: tuple[Proxy, str]) -> None:
    _, url = between
    with closing(redis_client.connect(url)) as client:
        client.ping()
        (one,) = client.connection_pool._available_connections
        probed = one._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    options = redis_client.connect_async(url).connection_pool.connection_kwargs["socket_keepalive_options"]

    assert probed == options[socket.TCP_USER_TIMEOUT] == tcp_keepalive.UNACKNOWLEDGED_MS
    assert options[socket.TCP_KEEPIDLE] == tcp_keepalive.IDLE_S
