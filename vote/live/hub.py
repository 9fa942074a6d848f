"""Publish/subscribe: which competitions are watched, and the next message for each watcher. No socket, clock or
database.

A watcher gets growing versions only, none twice. However slowly it reads, only one message waits for it: the newest.
Each watcher subscribes to one kind of message; versions grow within a kind.
"""

from typing import Generic, TypeVar

from vote.live.messages import KINDS, Kind, SnapshotMessage

NOTHING = -1  # below every version


class Watcher:
    """A reader of a kind of message about a competition. Only the hub changes it."""

    __slots__ = ("competition", "given", "kind", "unsent")

    def __init__(self, competition: int, kind: Kind = "figures") -> None:
        self.competition = competition
        self.kind: Kind = kind
        self.given = NOTHING
        self.unsent: SnapshotMessage | None = None


W = TypeVar("W", bound=Watcher)


class Hub(Generic[W]):
    """The watchers of one process, by competition and kind (publish/subscribe)."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[int, Kind], set[W]] = {}
        # The version offered to everyone in a room: a new vote costs nothing in rooms that show no figures.
        self._published: dict[tuple[int, Kind], int] = {}

    def join(self, watcher: W, present: SnapshotMessage) -> None:
        """Register a watcher, and offer it the present message of its kind."""
        key = (watcher.competition, watcher.kind)
        self._rooms.setdefault(key, set()).add(watcher)
        if self._published.get(key) != present.version:
            self._published.pop(key, None)  # it may be older than what the others were offered
        _offer(watcher, present)

    def leave(self, watcher: W) -> None:
        """Stop watching. A second call does nothing."""
        room = self._rooms.get((watcher.competition, watcher.kind), set())
        room.discard(watcher)
        if not room:
            self._rooms.pop((watcher.competition, watcher.kind), None)
            self._published.pop((watcher.competition, watcher.kind), None)

    def watched(self) -> list[int]:
        """Return the competitions that have watchers."""
        return list(dict.fromkeys(competition for competition, _ in self._rooms))

    def watchers(self, competition: int) -> list[W]:
        """Return the watchers of this competition, as a copy: they may leave meanwhile."""
        return [watcher for kind in KINDS for watcher in self._rooms.get((competition, kind), ())]

    def publish(self, message: SnapshotMessage) -> list[W]:
        """Offer the message to every watcher of its kind that does not have it or a newer one."""
        key = (message.competition, message.kind)
        room = self._rooms.get(key, ())
        if not room or self._published.get(key) == message.version:
            return []
        self._published[key] = message.version
        return [watcher for watcher in room if _offer(watcher, message)]

    def take(self, watcher: W) -> SnapshotMessage | None:
        """Return the message to send to it now; None if it has everything."""
        message, watcher.unsent = watcher.unsent, None
        if message is not None:
            watcher.given = message.version
        return message


def _offer(watcher: Watcher, message: SnapshotMessage) -> bool:
    """Let the message wait for the watcher unless it has a newer one. Returns whether nothing was waiting."""
    waiting = watcher.unsent
    if message.version <= (watcher.given if waiting is None else waiting.version):
        return False
    watcher.unsent = message
    return waiting is None
