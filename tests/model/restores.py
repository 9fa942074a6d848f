"""PostgreSQL is backed up, the log trimmed below the backup, and PostgreSQL restored."""

from contextlib import suppress

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.model.ballots import Ballots
from tests.model.stage import Ask, asks_, shards_
from tests.model.world import BACKUP, PRESENT
from vote.errors import LogUnavailable


class Restores(Ballots):
    """Backups and what follows from them."""

    @rule()
    def back_up(self) -> None:
        """A backup that was verified."""
        self.look()
        self.world.copy(PRESENT, BACKUP)
        self.has_backup = True
        self.reference.backup = self.world.read_books()

    @precondition(lambda self: self.has_backup)
    @rule(shard=shards_)
    def trim(self, shard: int) -> None:
        """R9: strictly below the backup."""
        self.look()
        backup, state = self.reference.backup, self.reference.shards[shard]
        assert backup is not None
        epoch, position = backup.positions[shard]
        if state.ready and epoch == state.epochs[-1]:
            with suppress(LogUnavailable):
                if self.world.log.trim(self.world.log.describe(shard), position) == "ok":
                    self.reference.trim(shard, position)

    @precondition(lambda self: self.has_backup)
    @rule(asks=st.lists(asks_, max_size=4))
    def restore(self, asks: list[Ask]) -> None:
        self.press(0, asks)
        self.look()
        self.world.stop_zombie()
        self.world.copy(BACKUP, PRESENT)
        assert self.reference.backup is not None
        self.reference.restore()
        self.promises.restored(self.reference.backup)
