"""Who watches which competition, and what each watcher is given next. Pure: no socket, no clock, no database.

A watcher is given growing versions only, never one twice. However slow it reads, one snapshot waits for it: the newest.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from websockets.frames import Frame, Opcode

NOTHING = -1  # below every version


@dataclass(frozen=True, slots=True)
class News:
    """One snapshot as it is sent. `frame`: as it goes over the wire (RFC 6455), made once for all watchers."""

    competition: int
    version: int
    text: str
    frame: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", Frame(Opcode.TEXT, self.text.encode()).serialize(mask=False))


class Watcher:
    """One reader of one competition. Only the hub changes it."""

    __slots__ = ("competition", "given", "unsent")

    def __init__(self, competition: int) -> None:
        self.competition = competition
        self.given = NOTHING
        self.unsent: News | None = None


W = TypeVar("W", bound=Watcher)


class Hub(Generic[W]):
    """The watchers of one process, by competition."""

    def __init__(self) -> None:
        self._rooms: dict[int, set[W]] = {}

    def join(self, watcher: W, present: News) -> None:
        """Let it watch from now on; the present snapshot is what it is given first."""
        self._rooms.setdefault(watcher.competition, set()).add(watcher)
        _offer(watcher, present)

    def leave(self, watcher: W) -> None:
        """It watches no more. A second call does nothing."""
        room = self._rooms.get(watcher.competition, set())
        room.discard(watcher)
        if not room:
            self._rooms.pop(watcher.competition, None)

    def watched(self) -> list[int]:
        """Competitions that somebody watches."""
        return list(self._rooms)

    def watchers(self, competition: int) -> list[W]:
        """Those who watch this competition, as a copy: they may leave meanwhile."""
        return list(self._rooms.get(competition, ()))

    def publish(self, news: News) -> list[W]:
        """Keep the snapshot for everybody who was not given it or a newer one.

        Returns those who had nothing waiting before and have now: the others are busy and will find it by themselves.
        """
        room = self._rooms.get(news.competition, ())
        return [watcher for watcher in room if _offer(watcher, news)]

    def take(self, watcher: W) -> News | None:
        """What to send to it now; None when it has been given everything."""
        news, watcher.unsent = watcher.unsent, None
        if news is not None:
            watcher.given = news.version
        return news


def _offer(watcher: Watcher, news: News) -> bool:
    """Let the snapshot wait for the watcher unless it knows a newer one; True when nothing was waiting."""
    waiting = watcher.unsent
    if news.version <= (watcher.given if waiting is None else waiting.version):
        return False
    watcher.unsent = news
    return waiting is None
