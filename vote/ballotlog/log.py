"""The ballot log for blocking code: the worker reads it and makes it ready, the web pushes rules and looks up choices.

Casting is in `ballot_box.py`. Every call that changes something carries a deadline in the log's clock, the epoch and
server instance it was made for (R3, R7), and the installation (R11); another installation's log is not read either.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from vote import redis_client
from vote.ballotlog import keys
from vote.ballotlog.entries import Entry, Rules, parse
from vote.ballotlog.server_figures import SECTIONS, LogServerFigures
from vote.ballotlog.shard import PUSH_BUDGET_MS, Pushed, PushStatus, Shard
from vote.domain.ballot import shard_of
from vote.domain.installation import Installation
from vote.domain.mark import AcknowledgedMark
from vote.errors import ForeignLog, LogNotAnswering, LogUnavailable

LIBRARY = (Path(__file__).parent / "box.lua").read_text(encoding="utf-8")
EPOCH_BYTES = 8
COUNT_BUDGET_MS = 60_000  # a count changes nothing, so a late one does no harm
VOTERS_PER_PUSH = 1_000  # Lua unpacks about 8,000 values at most
FORGOTTEN_PER_PUSH = 1_000
REPLICAS_WITHIN_MS = 1_000  # the shard's row stays locked meanwhile, and a lock is lost after 3 s


class BallotLog:
    """A client of the log. Raises LogUnavailable when the log does not answer; whether a failed push took effect is unknown.

    Raises ForeignLog for a shard that belongs to another installation: nothing was read or changed (R11).
    """

    def __init__(self, url: str, shards: int, installation: Installation, *, wait_replicas: int = 0) -> None:
        """`wait_replicas`: how many replicas must have an entry before it may be recorded (`wait_for_replicas`)."""
        self.shards = shards
        self.installation = installation
        self._wait_replicas = wait_replicas
        self._redis: Redis = redis_client.connect(url)

    # --- reading -----------------------------------------------------------------------------------------------------
    def describe(self, shard: int) -> Shard:
        """Return the present state of one shard."""
        return self._own(Shard.parse(shard, self._call("FCALL", "vote_describe", 1, keys.state(shard))))

    def renewed(self, shard: Shard) -> Shard:
        """Return the shard with the present time: a push's deadline counts from now, epoch and instance stay (R7)."""
        return self.describe(shard.number)._replace(epoch=shard.epoch, instance=shard.instance)

    def describe_all(self) -> list[Shard]:
        """Return the present state of every shard, in one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self.shards):
            pipeline.execute_command("FCALL", "vote_describe", 1, keys.state(shard))
        return [self._own(Shard.parse(shard, answer)) for shard, answer in enumerate(_call_log(pipeline.execute))]

    def owners(self) -> list[tuple[str, str]]:
        """Return (installation, epoch) of every shard, empty for none. Calls no functions: they may be another's."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self.shards):
            pipeline.hmget(keys.state(shard), "installation", "epoch")
        return [(owner or "", epoch or "") for owner, epoch in _call_log(pipeline.execute)]

    def read_after(self, shard: int, position: int, count: int) -> list[Entry]:
        """Return at most `count` entries after `position`, in order."""
        rows = self._read(shard, "XRANGE", keys.log(shard), f"({position}-0", "+", "COUNT", count)
        return [parse(stream_id, fields.get("e", "")) for stream_id, fields in rows]

    def entry_at(self, shard: int, position: int) -> Entry | None:
        """Return the entry at exactly this position; None when it is not, or no longer, there."""
        rows = self._read(shard, "XRANGE", keys.log(shard), f"{position}-0", f"{position}-0")
        return parse(rows[0][0], rows[0][1].get("e", "")) if rows else None

    def wait_for_news(self, positions: Mapping[int, int]) -> None:
        """Return when some shard has an entry after its position, or after redis_client.BLOCK_MS."""
        streams = [keys.log(shard) for shard in positions]
        ids = [f"{position}-0" for position in positions.values()]
        self._call("XREAD", "COUNT", 1, "BLOCK", redis_client.BLOCK_MS, "STREAMS", *streams, *ids)

    def wait_for_replicas(self, shard: int, position: int) -> None:
        """Return when the replicas have all that this server has of a shard. Raises LogUnavailable when they have not.

        What only a primary that is being deposed has is lost with it, and PostgreSQL must not be ahead of the log that
        remains (R6). WAIT covers only writes of its own connection, so something is written first.
        """
        if self._wait_replicas == 0:
            return
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(keys.read(shard), position)
        pipeline.execute_command("WAIT", self._wait_replicas, REPLICAS_WITHIN_MS)
        if _call_log(pipeline.execute)[1] < self._wait_replicas:
            raise LogUnavailable("The replicas of the ballot log do not have the newest entries yet.")

    def stored_choice(self, competition: int, voter: int) -> str | None:
        """Return the choice that the log stores for this voter, recorded or not; None when it stores none."""
        shard = shard_of(competition, voter, self.shards)
        choice = self._read(shard, "HGET", keys.voters(shard, competition), voter)
        return None if choice is None else str(choice)

    def knows(self, competition: int) -> bool:
        """Return whether any shard has rules of a competition with this id, also where it has forgotten the voters."""
        return any(self._read(shard, "HEXISTS", keys.rules(shard), competition) for shard in range(self.shards))

    def has_ballots(self, competition: int, *, under: int = 0) -> bool:
        """Return whether any shard has stored a ballot for a competition, recorded or not.

        `under`: the version of the rules that every shard must have; where those take no ballots, the answer holds as long
        as they do. Raises LogUnavailable unless every shard is ready and has them.
        """
        voters = 0
        for shard in self.describe_all():
            names = [keys.state(shard.number), keys.rules(shard.number), keys.voters(shard.number, competition)]
            guard = (shard.now_ms + COUNT_BUDGET_MS, shard.epoch, shard.instance)
            answer = self._fcall("vote_count_voters", names, *guard, competition, under)
            if answer[1] != "ok":
                raise LogUnavailable(
                    "A part of the ballot log is not ready at the moment. Nothing was changed; try again."
                )
            voters += answer[2]
        return voters > 0

    def unsafe_settings(self) -> list[str]:
        """Return why this server may not hold ballots; empty when it may."""
        wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
        answer = self._call("CONFIG GET", *wanted)
        present = answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))
        return [
            f"the ballot log runs {name} {present.get(name)}, it needs {value}"
            for name, value in wanted.items()
            if present.get(name) != value
        ]

    def server_figures(self, min_replicas: int) -> LogServerFigures:
        """Return the figures of the server, by one call. `min_replicas`: how many a ballot waits for."""
        return LogServerFigures.parse(_call_log(lambda: self._redis.info(*SECTIONS)), min_replicas=min_replicas)

    # --- writing -----------------------------------------------------------------------------------------------------
    def load_library(self) -> None:
        """Load `box.lua`, replacing any older version."""
        self._call("FUNCTION LOAD", "REPLACE", LIBRARY)

    def push_rules(self, shard: Shard, rules: Iterable[Rules], *, warming: bool = False) -> Pushed:
        """Push rules to a shard; those it has in this or a higher version stay as they are (R7).

        A competition that the shard has forgotten (`forget`) stays so, under any rules.
        """
        arguments: list[Any] = []
        for pushed in rules:
            arguments += [pushed.competition, pushed.text(), secrets.token_hex(16)]
        names = [keys.log(shard.number), keys.state(shard.number), keys.rules(shard.number)]
        answer = self._fcall("vote_push_rules", names, *shard.for_push(), int(warming), *arguments)
        return Pushed(answer[1], frozenset(answer[3:]))

    def push_voters(self, shard: Shard, competition: int, choices: Mapping[int, str]) -> PushStatus:
        """Give a shard of a new epoch the voters whose votes PostgreSQL has (R5)."""
        names = [keys.state(shard.number), keys.voters(shard.number, competition)]
        pairs = list(choices.items())
        for start in range(0, len(pairs), VOTERS_PER_PUSH):
            flat = [value for pair in pairs[start : start + VOTERS_PER_PUSH] for value in pair]
            status = self._push("vote_push_voters", names, self.renewed(shard), *flat)
            if status != "ok":
                return status
        return "ok"

    def begin_epoch(self, shard: Shard, new_epoch: str | None = None) -> PushStatus:
        """Begin a new epoch of a shard, with a random name unless one is given (R5, R6)."""
        deadline = shard.now_ms + PUSH_BUDGET_MS
        names, epoch = [keys.state(shard.number)], new_epoch or secrets.token_hex(EPOCH_BYTES)
        return self._status("vote_begin_epoch", names, deadline, shard.epoch, shard.instance, epoch)

    def claim(self, shard: int, epoch: str) -> None:
        """Claim a shard without an owner for this installation, in the epoch it is known in. Raises ForeignLog."""
        self._status("vote_claim", [keys.state(shard)], epoch)

    def adopt(self, shard: int, former: str) -> None:
        """Take a shard over from another installation and empty it, which begins a new epoch. Raises ForeignLog."""
        names = [keys.log(shard), keys.state(shard), keys.rules(shard), keys.read(shard)]
        epoch, prefix = secrets.token_hex(EPOCH_BYTES), keys.voters(shard, 0).removesuffix("0")
        self._status("vote_adopt", names, former, epoch, prefix)

    def compare(self, shard: int, mark: AcknowledgedMark) -> PushStatus:
        """Compare a mark with the shard. `behind`: it lacks the ballot, and takes none until a new epoch begins (R6)."""
        return self._status("vote_compare", [keys.log(shard), keys.state(shard)], *mark)

    def make_ready(self, shard: Shard) -> PushStatus:
        """Let a shard take ballots, under this epoch and instance (R5)."""
        return self._push("vote_make_ready", [keys.state(shard.number)], shard)

    def append_erasure(self, voter: int) -> bool:
        """Append the erasure of a person (R10). Returns whether it is on disk; a second one does no harm."""
        try:
            shard = self.describe(voter % self.shards)
            names = [keys.log(shard.number), keys.state(shard.number)]
            return self._push("vote_erase", names, shard, voter, secrets.token_hex(16)) == "ok"
        except LogUnavailable:
            return False

    def trim(self, shard: Shard, position: int) -> PushStatus:
        """Trim a shard strictly below a position (R9)."""
        return self._push("vote_trim", [keys.log(shard.number), keys.state(shard.number)], shard, position)

    def forget(self, shard: Shard, versions: Mapping[int, int], *, warming: bool = False) -> PushStatus:
        """Let a shard forget the voters of final competitions, given as {competition: version of its rules}."""
        pairs = list(versions.items())
        for start in range(0, len(pairs), FORGOTTEN_PER_PUSH):
            chunk = pairs[start : start + FORGOTTEN_PER_PUSH]
            names = [keys.state(shard.number), keys.rules(shard.number)]
            names += [keys.voters(shard.number, competition) for competition, _ in chunk]
            status = self._push("vote_forget", names, shard, int(warming), *(value for pair in chunk for value in pair))
            if status != "ok":
                return status
        return "ok"

    def announce(self, rules: Iterable[Rules]) -> bool:
        """Push rules to every ready shard. Returns whether all took them; otherwise the worker's schedule keeps trying."""
        pushed = list(rules)
        try:
            return all([self.push_rules(shard, pushed) == Pushed("ok") for shard in self.describe_all()])
        except LogUnavailable:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _push(self, function: str, names: list[str], shard: Shard, *arguments: Any) -> PushStatus:
        return self._status(function, names, *shard.for_push(), *arguments)

    def _status(self, function: str, names: list[str], *arguments: Any) -> PushStatus:
        status: PushStatus = self._fcall(function, names, *arguments)[1]
        return status

    def _fcall(self, function: str, names: list[str], *arguments: Any) -> list[Any]:
        answer: list[Any] = self._call("FCALL", function, len(names), *names, self._installation_id(), *arguments)
        if answer[1] == "not_owner":
            raise ForeignLog(self._installation_id(), answer[2])
        return answer

    def _installation_id(self) -> str:
        if self.installation.id is None:
            raise LogUnavailable("The id of this installation has not been read from PostgreSQL yet.")
        return self.installation.id

    def _own(self, shard: Shard) -> Shard:
        """Return the shard if it belongs to this installation, or to nobody and is empty. Raises ForeignLog (R11)."""
        if shard.installation != self._installation_id() and (shard.installation or shard.epoch):
            raise ForeignLog(self._installation_id(), shard.installation)
        return shard

    def _read(self, shard: int, *command: Any) -> Any:
        """Return what a shard holds, and check its owner in the same step: another server may answer by now (R11)."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.execute_command("FCALL", "vote_describe", 1, keys.state(shard))
        pipeline.execute_command(*command)
        description, answer = _call_log(pipeline.execute)
        self._own(Shard.parse(shard, description))
        return answer

    def _call(self, *command: Any) -> Any:
        return _call_log(lambda: self._redis.execute_command(*command))


def _call_log(call: Callable[[], Any]) -> Any:
    """Return the log's answer. Raises LogUnavailable with the reason."""
    try:
        return call()
    except ResponseError as error:
        raise LogUnavailable(f"The ballot log refused: {error}") from error
    except redis_client.LogError as error:
        raise LogNotAnswering from error
