"""What each watcher is given: growing versions, the newest in the end, never more than one waiting."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from vote.live.hub import Hub, Watcher
from vote.live.messages import SnapshotMessage

COMPETITIONS = (1, 2)
competitions = st.sampled_from(COMPETITIONS)
versions = st.integers(0, 12)


def news(competition: int, version: int) -> SnapshotMessage:
    return SnapshotMessage(competition, version, f"{competition}/{version}")


class WatchedHub(RuleBasedStateMachine):
    """Watchers join, leave and read at their own pace while news comes in any order, older and doubled ones too."""

    watchers = Bundle("watchers")

    def __init__(self) -> None:
        super().__init__()
        self.hub: Hub[Watcher] = Hub()
        self.read: dict[Watcher, list[SnapshotMessage]] = {}
        self.newest_offered: dict[Watcher, int] = {}
        self.awake: set[Watcher] = set()

    @rule(target=watchers, competition=competitions, version=versions)
    def join(self, competition: int, version: int) -> Watcher:
        watcher = Watcher(competition)
        self.hub.join(watcher, news(competition, version))
        self.read[watcher] = []
        self.newest_offered[watcher] = version
        self.awake.add(watcher)
        return watcher

    @rule(watcher=consumes(watchers))
    def leave(self, watcher: Watcher) -> None:
        self.hub.leave(watcher)
        self.hub.leave(watcher)
        for known in (self.read, self.newest_offered):
            known.pop(watcher)
        self.awake.discard(watcher)

    @rule(competition=competitions, version=versions)
    def publish(self, competition: int, version: int) -> None:
        woken = self.hub.publish(news(competition, version))
        assert not self.awake & set(woken), "woken twice"
        self.awake |= set(woken)
        for watcher in self.read:
            if watcher.competition == competition:
                self.newest_offered[watcher] = max(self.newest_offered[watcher], version)

    @rule(watcher=watchers)
    def take(self, watcher: Watcher) -> None:
        taken = self.hub.take(watcher)
        assert (taken is not None) == (watcher in self.awake)
        self.awake.discard(watcher)
        if taken is not None:
            self.read[watcher].append(taken)

    @invariant()
    def versions_only_grow(self) -> None:
        for seen in self.read.values():
            read = [one.version for one in seen]
            assert read == sorted(set(read))

    @invariant()
    def only_the_own_competition(self) -> None:
        assert all(one.competition == watcher.competition for watcher, seen in self.read.items() for one in seen)

    @invariant()
    def the_newest_was_read_or_waits(self) -> None:
        for watcher, seen in self.read.items():
            known = [*seen, *([watcher.unsent] if watcher.unsent else [])]
            assert known[-1].version == self.newest_offered[watcher]

    @invariant()
    def only_what_is_watched_is_followed(self) -> None:
        assert sorted(self.hub.watched()) == sorted({watcher.competition for watcher in self.read})


TestWatchedHub = WatchedHub.TestCase
TestWatchedHub.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_the_present_snapshot_comes_first() -> None:
    hub: Hub[Watcher] = Hub()
    watcher = Watcher(1)

    hub.join(watcher, news(1, 0))

    assert hub.take(watcher) == news(1, 0)
    assert hub.take(watcher) is None


def test_a_slow_reader_is_given_the_newest_alone() -> None:
    hub: Hub[Watcher] = Hub()
    slow = Watcher(1)
    hub.join(slow, news(1, 0))
    hub.take(slow)

    woken = [hub.publish(news(1, version)) for version in range(1, 1000)]

    assert woken[0] == [slow]
    assert not any(woken[1:])
    assert hub.take(slow) == news(1, 999)
    assert hub.take(slow) is None
