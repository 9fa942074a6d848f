"""The ballot log for code that waits: the worker reads it and makes it ready, the web pushes rules and asks what is stored.

Casting is not here (`box.py`). Every call that changes something carries a deadline in the log's clock, the epoch and
server instance it was made for (R3, R7), and the installation (R11); what belongs to another one is not read either.
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
from vote.ballotlog.shard import PUSH_BUDGET_MS, Pushed, PushStatus, Shard
from vote.domain.ballot import shard_of
from vote.domain.installation import Installation
from vote.domain.mark import AcknowledgedMark
from vote.errors import ForeignLog, LogUnavailable

LIBRARY = (Path(__file__).parent / "box.lua").read_text(encoding="utf-8")
EPOCH_BYTES = 8
COUNT_BUDGET_MS = 60_000  # a count changes nothing, so one that comes late does no harm
VOTERS_PER_PUSH = 1_000  # Lua unpacks at most some 8,000 values
FORGOTTEN_PER_PUSH = 1_000
REPLICAS_WITHIN_MS = 1_000  # the shard's row is locked meanwhile, and a lock is lost after 3 s

_READY, _WARMING, _REMEMBERED = range(3)  # how rules are pushed: see `push_rules` in box.lua


class BallotLog:
    """One client of the log. Raises LogUnavailable when the log does not answer; what a failed push did is unknown.

    Raises ForeignLog for a shard that is not this installation's: nothing was read or done (R11).
    """

    def __init__(self, url: str, shards: int, installation: Installation, *, wait_replicas: int = 0) -> None:
        """`wait_replicas`: how many replicas must have an entry before it may be recorded (`wait_for_replicas`)."""
        self.shards = shards
        self.installation = installation
        self._wait_replicas = wait_replicas
        self._redis: Redis = redis_client.connect(url)

    # --- what it says ------------------------------------------------------------------------------------------------
    def describe(self, shard: int) -> Shard:
        """The present state of one shard."""
        return self._own(Shard.parse(shard, self._call("FCALL", "vote_describe", 1, keys.state(shard))))

    def renewed(self, shard: Shard) -> Shard:
        """The same life of a shard, at this moment: the deadline of a push counts from here, whom it is for stays (R7)."""
        return self.describe(shard.number)._replace(epoch=shard.epoch, instance=shard.instance)

    def describe_all(self) -> list[Shard]:
        """The present state of every shard, in one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self.shards):
            pipeline.execute_command("FCALL", "vote_describe", 1, keys.state(shard))
        return [self._own(Shard.parse(shard, answer)) for shard, answer in enumerate(_told(pipeline.execute))]

    def owners(self) -> list[tuple[str, str]]:
        """(installation, epoch) of every shard, each empty for none. Asks no function: those may be another's."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self.shards):
            pipeline.hmget(keys.state(shard), "installation", "epoch")
        return [(owner or "", epoch or "") for owner, epoch in _told(pipeline.execute)]

    def read_after(self, shard: int, position: int, count: int) -> list[Entry]:
        """At most `count` entries after `position`, in order."""
        rows = self._read(shard, "XRANGE", keys.log(shard), f"({position}-0", "+", "COUNT", count)
        return [parse(stream_id, fields.get("e", "")) for stream_id, fields in rows]

    def entry_at(self, shard: int, position: int) -> Entry | None:
        """The entry at exactly this position, None when it is not (or no longer) there."""
        rows = self._read(shard, "XRANGE", keys.log(shard), f"{position}-0", f"{position}-0")
        return parse(rows[0][0], rows[0][1].get("e", "")) if rows else None

    def wait_for_news(self, positions: Mapping[int, int]) -> None:
        """Return when some shard has an entry after its position, or after connection.BLOCK_MS."""
        streams = [keys.log(shard) for shard in positions]
        ids = [f"{position}-0" for position in positions.values()]
        self._call("XREAD", "COUNT", 1, "BLOCK", redis_client.BLOCK_MS, "STREAMS", *streams, *ids)

    def wait_for_replicas(self, shard: int, position: int) -> None:
        """Return when the replicas have all that this server has of a shard. Raises LogUnavailable when they have not.

        What only a primary that is being deposed has is gone with it: PostgreSQL must not be ahead of the log that is
        left (R6). WAIT speaks of the writes of its own connection, so something is written first.
        """
        if self._wait_replicas == 0:
            return
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(keys.read(shard), position)
        pipeline.execute_command("WAIT", self._wait_replicas, REPLICAS_WITHIN_MS)
        if _told(pipeline.execute)[1] < self._wait_replicas:
            raise LogUnavailable("The replicas of the ballot log do not have the newest entries yet.")

    def stored_choice(self, competition: int, voter: int) -> str | None:
        """The choice stored for this voter in the log, recorded or not yet."""
        shard = shard_of(competition, voter, self.shards)
        choice = self._read(shard, "HGET", keys.voters(shard, competition), voter)
        return None if choice is None else str(choice)

    def knows(self, competition: int) -> bool:
        """Whether any shard has rules of a competition with this number, or had them and has forgotten its voters."""
        return any(self._read(shard, "HEXISTS", keys.rules(shard), competition) for shard in range(self.shards))

    def has_ballots(self, competition: int, *, under: int = 0) -> bool:
        """Whether any shard has stored a ballot for a competition, recorded or not yet.

        `under`: the version of the rules that every shard must have; where they take no ballots the answer stands as long
        as they do. Raises LogUnavailable unless every shard is ready and has them.
        """
        found = 0
        for shard in self.describe_all():
            names = [keys.state(shard.number), keys.rules(shard.number), keys.voters(shard.number, competition)]
            whose = (shard.now_ms + COUNT_BUDGET_MS, shard.epoch, shard.instance)
            answer = self._fcall("vote_count_voters", names, *whose, competition, under)
            if answer[1] != "ok":
                raise LogUnavailable(
                    "A part of the ballot log is not ready at the moment. Nothing was changed; try again."
                )
            found += answer[2]
        return found > 0

    def unsafe_settings(self) -> list[str]:
        """Why this server may not hold ballots; empty when it may."""
        wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
        found = self._call("CONFIG GET", *wanted)
        present = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
        return [
            f"the ballot log runs {name} {present.get(name)}, it needs {value}"
            for name, value in wanted.items()
            if present.get(name) != value
        ]

    # --- what is written to it -----------------------------------------------------------------------------------------
    def load_library(self) -> None:
        """Load `box.lua`, in place of any older one."""
        self._call("FUNCTION LOAD", "REPLACE", LIBRARY)

    def push_rules(self, shard: Shard, rules: Iterable[Rules], *, warming: bool = False) -> PushStatus:
        """Tell a shard the rules of competitions; those it has in this or a higher version stay as they are (R7).

        So does what it has forgotten (`forget`): that needs its voters first (`remember`).
        """
        return self._push_rules(shard, rules, _WARMING if warming else _READY).status

    def push_news(self, shard: Shard, rules: Iterable[Rules]) -> Pushed:
        """The same, and which of it the shard has forgotten."""
        return self._push_rules(shard, rules, _READY)

    def push_remembered(self, shard: Shard, rules: Rules) -> PushStatus:
        """Tell a shard new rules of what it had forgotten, when its voters are back."""
        return self._push_rules(shard, [rules], _REMEMBERED).status

    def _push_rules(self, shard: Shard, rules: Iterable[Rules], how: int) -> Pushed:
        arguments: list[Any] = []
        for one in rules:
            arguments += [one.competition, one.text(), secrets.token_hex(16)]
        names = [keys.log(shard.number), keys.state(shard.number), keys.rules(shard.number)]
        answer = self._fcall("vote_push_rules", names, *shard.for_push(), how, *arguments)
        return Pushed(answer[1], frozenset(answer[3:]))

    def push_voters(self, shard: Shard, competition: int, choices: Mapping[int, str]) -> PushStatus:
        """Tell a shard of a new epoch whose votes PostgreSQL has (R5)."""
        names = [keys.state(shard.number), keys.voters(shard.number, competition)]
        pairs = list(choices.items())
        for start in range(0, len(pairs), VOTERS_PER_PUSH):
            flat = [value for pair in pairs[start : start + VOTERS_PER_PUSH] for value in pair]
            word = self._push("vote_push_voters", names, self.renewed(shard), *flat)
            if word != "ok":
                return word
        return "ok"

    def begin_epoch(self, shard: Shard, new_epoch: str | None = None) -> PushStatus:
        """Give a shard a new life, under a random name unless one is given (R5, R6)."""
        deadline = shard.now_ms + PUSH_BUDGET_MS
        names, epoch = [keys.state(shard.number)], new_epoch or secrets.token_hex(EPOCH_BYTES)
        return self._word("vote_begin_epoch", names, deadline, shard.epoch, shard.instance, epoch)

    def claim(self, shard: int, epoch: str) -> None:
        """Make a shard that nobody has this installation's, in the epoch it is known in. Raises ForeignLog."""
        self._word("vote_claim", [keys.state(shard)], epoch)

    def adopt(self, shard: int, former: str) -> None:
        """Take a shard over from another installation, and empty it: a new epoch has begun. Raises ForeignLog."""
        names = [keys.log(shard), keys.state(shard), keys.rules(shard), keys.read(shard)]
        epoch, prefix = secrets.token_hex(EPOCH_BYTES), keys.voters(shard, 0).removesuffix("0")
        self._word("vote_adopt", names, former, epoch, prefix)

    def compare(self, shard: int, mark: AcknowledgedMark) -> PushStatus:
        """Compare a mark with the shard; one that lacks the ballot takes none until a new epoch has begun: `behind` (R6)."""
        return self._word("vote_compare", [keys.log(shard), keys.state(shard)], *mark)

    def make_ready(self, shard: Shard) -> PushStatus:
        """Let a shard take ballots, under this epoch and instance (R5)."""
        return self._push("vote_make_ready", [keys.state(shard.number)], shard)

    def append_erasure(self, voter: int) -> bool:
        """Append the erasure of a person (R10). True when it is on disk; it does no harm twice."""
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
        """Let a shard forget the voters of competitions ({competition: version of its rules}) that are final."""
        pairs = list(versions.items())
        for start in range(0, len(pairs), FORGOTTEN_PER_PUSH):
            some = pairs[start : start + FORGOTTEN_PER_PUSH]
            names = [keys.state(shard.number), keys.rules(shard.number)]
            names += [keys.voters(shard.number, competition) for competition, _ in some]
            word = self._push("vote_forget", names, shard, int(warming), *(value for pair in some for value in pair))
            if word != "ok":
                return word
        return "ok"

    def remember(self, shard: Shard, rules: Rules, choices: Mapping[int, str]) -> PushStatus:
        """Bring voters of a forgotten competition back to a shard, before these rules are pushed to it."""
        names = [keys.state(shard.number), keys.rules(shard.number), keys.voters(shard.number, rules.competition)]
        pairs = list(choices.items())
        for start in range(0, len(pairs), VOTERS_PER_PUSH):
            flat = [value for pair in pairs[start : start + VOTERS_PER_PUSH] for value in pair]
            word = self._push("vote_remember", names, self.renewed(shard), rules.competition, rules.version, *flat)
            if word != "ok":
                return word
        return "ok"

    def announce(self, rules: Iterable[Rules]) -> bool:
        """Push rules to every shard that is ready. True when all took them; else the worker's schedule goes on trying."""
        pushed = list(rules)
        try:
            return all([self.push_news(shard, pushed) == Pushed("ok") for shard in self.describe_all()])
        except LogUnavailable:
            return False

    def close(self) -> None:
        """Let the connections go."""
        self._redis.close()

    def _push(self, function: str, names: list[str], shard: Shard, *arguments: Any) -> PushStatus:
        return self._word(function, names, *shard.for_push(), *arguments)

    def _word(self, function: str, names: list[str], *arguments: Any) -> PushStatus:
        word: PushStatus = self._fcall(function, names, *arguments)[1]
        return word

    def _fcall(self, function: str, names: list[str], *arguments: Any) -> list[Any]:
        answer: list[Any] = self._call("FCALL", function, len(names), *names, self._mine(), *arguments)
        if answer[1] == "not_owner":
            raise ForeignLog(self._mine(), answer[2])
        return answer

    def _mine(self) -> str:
        if self.installation.id is None:
            raise LogUnavailable("It was not read from PostgreSQL yet which installation this is.")
        return self.installation.id

    def _own(self, shard: Shard) -> Shard:
        """R11: what says this of itself is ours, or empty."""
        if shard.installation != self._mine() and (shard.installation or shard.epoch):
            raise ForeignLog(self._mine(), shard.installation)
        return shard

    def _read(self, shard: int, *command: Any) -> Any:
        """What a shard holds. It is asked whose it is in the same step: another server may answer now (R11)."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.execute_command("FCALL", "vote_describe", 1, keys.state(shard))
        pipeline.execute_command(*command)
        said, found = _told(pipeline.execute)
        self._own(Shard.parse(shard, said))
        return found

    def _call(self, *command: Any) -> Any:
        return _told(lambda: self._redis.execute_command(*command))


def _told(call: Callable[[], Any]) -> Any:
    """What the log answers, or LogUnavailable with the reason."""
    try:
        return call()
    except ResponseError as error:
        raise LogUnavailable(f"The ballot log refused: {error}") from error
    except redis_client.LogError as error:
        raise LogUnavailable from error
