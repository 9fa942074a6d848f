"""Who watches which competition, and what each watcher is given next. Pure: no socket, no clock, no database.

A watcher is given growing versions only, never one twice. However slow it reads, one message waits for it: the newest.
Each asks for one kind of message; versions grow within a kind.
"""

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar, get_args

from websockets.frames import Frame, Opcode

NOTHING = -1  # below every version

# figures: the tally's snapshot. state: what a page knows (`domain/page_state.py`), no figures. page: both.
Kind = Literal["figures", "state", "page"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class SnapshotMessage:
    """One message as it is sent. `frame`: as it goes over the wire (RFC 6455), made once for all watchers."""

    competition: int
    version: int
    text: str
    kind: Kind = "figures"
    frame: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", Frame(Opcode.TEXT, self.text.encode()).serialize(mask=False))


class Watcher:
    """One reader of one kind of message of one competition. Only the hub changes it."""

    __slots__ = ("competition", "given", "kind", "unsent")

    def __init__(self, competition: int, kind: Kind = "figures") -> None:
        self.competition = competition
        self.kind: Kind = kind
        self.given = NOTHING
        self.unsent: SnapshotMessage | None = None


W = TypeVar("W", bound=Watcher)


class Hub(Generic[W]):
    """The watchers of one process, by competition."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[int, Kind], set[W]] = {}
        # Of each room, what everybody in it was offered: news of votes costs nothing to who is shown no figures.
        self._published: dict[tuple[int, Kind], int] = {}

    def join(self, watcher: W, present: SnapshotMessage) -> None:
        """Let it watch from now on; the present message of its kind is what it is given first."""
        where = (watcher.competition, watcher.kind)
        self._rooms.setdefault(where, set()).add(watcher)
        if self._published.get(where) != present.version:
            self._published.pop(where, None)  # it may be older than what the others were offered
        _offer(watcher, present)

    def leave(self, watcher: W) -> None:
        """It watches no more. A second call does nothing."""
        room = self._rooms.get((watcher.competition, watcher.kind), set())
        room.discard(watcher)
        if not room:
            self._rooms.pop((watcher.competition, watcher.kind), None)
            self._published.pop((watcher.competition, watcher.kind), None)

    def watched(self) -> list[int]:
        """Competitions that somebody watches."""
        return list(dict.fromkeys(competition for competition, _ in self._rooms))

    def watchers(self, competition: int) -> list[W]:
        """Those who watch this competition, as a copy: they may leave meanwhile."""
        return [watcher for kind in KINDS for watcher in self._rooms.get((competition, kind), ())]

    def publish(self, news: SnapshotMessage) -> list[W]:
        """Keep the message for everybody who watches its kind and was not given it or a newer one.

        Returns those who had nothing waiting before and have now: the others are busy and will find it by themselves.
        """
        where = (news.competition, news.kind)
        room = self._rooms.get(where, ())
        if not room or self._published.get(where) == news.version:
            return []
        self._published[where] = news.version
        return [watcher for watcher in room if _offer(watcher, news)]

    def take(self, watcher: W) -> SnapshotMessage | None:
        """What to send to it now; None when it has been given everything."""
        news, watcher.unsent = watcher.unsent, None
        if news is not None:
            watcher.given = news.version
        return news


def _offer(watcher: Watcher, news: SnapshotMessage) -> bool:
    """Let the message wait for the watcher unless it knows a newer one; True when nothing was waiting."""
    waiting = watcher.unsent
    if news.version <= (watcher.given if waiting is None else waiting.version):
        return False
    watcher.unsent = news
    return waiting is None
