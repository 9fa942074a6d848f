"""An upgrade, its rollback and the upgrade again, while people vote.

1. Old webs and workers on the old schema.
2. `vote migrate` of the new code; the old code goes on, on the new schema.
3. The webs are replaced one by one, then the workers: the new code on the expanded schema.
4. The same back: the old code starts on the expanded schema, which is a rollback.
5. The same forward again.

A stage is over when the steps are done, people have voted on for a while, every request was answered as it should be, all
that was acknowledged is recorded, and no process has logged an error. At the end voting is closed, and votes, tallies and
the journal are compared with what people were told.
"""

import contextlib
import time
from collections.abc import Callable, Iterator

import psycopg

from tests.conftest import JWT_SECRET
from tests.deploy.upgrade.house import House
from tests.deploy.upgrade.releases import Release
from tests.deploy.upgrade.stage import Stage
from tests.deploy.upgrade.traffic import Traffic
from tests.stack import wait_until
from tests.synthetic_voters import Ballot
from vote import config
from vote.auth import create_jwt_token
from vote.db import synthetic_voters
from vote.ops.load import provisioning, verdict
from vote.ops.load.measurements import ACCEPTED
from vote.ops.load.target import Api
from vote.ops.load.verdict import SentVote

COMPETITIONS = 10
VOTERS = 8_000  # 80,000 ballots in all: 400 s at most
HOLD_VOTES = 3_000  # fifteen seconds
RECORDED_WITHIN_S = 30.0


class Upgrade:
    """One run of all stages. `hold_votes`: how many people vote in a stage once its steps are done."""

    def __init__(
        self,
        house: House,
        old: Release,
        new: Release,
        *,
        hold_votes: int = HOLD_VOTES,
        recorded_within_s: float = RECORDED_WITHIN_S,
    ) -> None:
        self.house, self.old, self.new = house, old, new
        self.stages: list[Stage] = []
        self._hold_votes, self._recorded_within_s = hold_votes, recorded_within_s
        self._organiser = ""
        self._ballots: list[Ballot] = []
        self._traffic: Traffic | None = None

    @property
    def traffic(self) -> Traffic:
        assert self._traffic is not None, "nobody has voted yet"
        return self._traffic

    def run(self) -> dict[str, int]:
        """All of it; returns what was counted. Raises AssertionError in the first stage in which something is wrong."""
        with self.voting():
            self.hold("old code, old schema")
            self.hold("old code, new schema", self.migrate)
            self.hold("new code, new schema", lambda: self.replace_all(self.new))
            self.hold("rolled back to old code", lambda: self.replace_all(self.old))
            self.hold("new code again", lambda: self.replace_all(self.new))
        return self.compare(self.new)

    @contextlib.contextmanager
    def voting(self) -> Iterator[None]:
        """People vote until the end of the block. The first part of it: the old code runs, and competitions open."""
        self._ballots = self._open()
        with Traffic(self._ballots, [web.port for web in self.house.webs]).running() as self._traffic:
            yield

    def hold(self, name: str, steps: Callable[[], None] = lambda: None) -> None:
        """Do the steps of a stage while people vote; then let them vote on, and look at all that happened."""
        stage, began = self.traffic.stage, time.monotonic()
        stage.name = name
        self.stages.append(stage)
        steps()
        stage.steps_s = time.monotonic() - began
        self.traffic.wait_for(self._hold_votes)
        self.traffic.begin_stage()  # the next one, without a pause
        wait_until(lambda: stage.is_answered, what="every request has its answer")
        stage.check()
        acknowledged = self._acknowledged
        wait_until(
            lambda: self.house.recorded >= acknowledged,
            what=f"{name}: all that was acknowledged is recorded",
            within=self._recorded_within_s,
        )
        assert self.house.errors == [], f"{name}: {self.house.errors[:5]}"
        for part in self.house.parts:
            part.check()

    def migrate(self) -> None:
        """Bring the database to the schema of the new code, as the owner."""
        assert self.house.revision == self.old.newest
        done = self.new.run(self.house.settings, "migrate")
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.house.revision == self.new.newest > self.old.newest

    def replace_all(self, release: Release) -> None:
        """Replace the webs one by one, each out of the load meanwhile; then the workers, so that one is always there."""
        for web in self.house.webs:
            self.traffic.take_out(web.port)
            web.stop()
            web.start(release)
            self.traffic.put_back(web.port)
        for worker in self.house.workers:
            worker.stop()
            worker.start(release)

    def compare(self, release: Release) -> dict[str, int]:
        """Close voting, and compare what people were told with votes, tallies and journal. Returns the figures."""
        settings = config.load(self.house.settings)
        ids = sorted({one.competition for one in self._ballots})
        with contextlib.closing(Api(self.house.webs[0].target, self._organiser)) as api:
            settled = provisioning.close_and_settle(api, ids, within=2 * self._recorded_within_s)
            recorded = verdict.read_recorded(api, settings, ids)
        self.traffic.stage.check()
        found = verdict.judge([*map(self._sent_vote, self.traffic.statuses)], recorded, settled=settled)
        figures = {
            "cast": len(self.traffic.statuses),
            "sent again": self.traffic.sent_again,
            "acknowledged": self._acknowledged,
            "recorded": len(recorded.votes),
            "in tallies": sum(sum(counts.values()) for counts in recorded.tallies.values()),
            "lost": len(found.lost),
            "duplicate": len(found.duplicate),
            "phantom": len(found.phantom),
            "set aside": sum(
                self.house.value(f"SELECT count(*) FROM {table}")
                for table in ("log_gaps", "unmatched_ballots", "rejected_ballots")
            ),
        }
        assert found.settled, "voting was closed and is not final"
        wrong = [*found.lost, *found.duplicate, *found.phantom]
        assert wrong == [], (figures, wrong[:5])
        assert figures["set aside"] == 0, figures
        assert figures["cast"] == figures["acknowledged"] == figures["recorded"] == figures["in tallies"], figures
        verified = release.run(self.house.settings, "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        return figures

    @property
    def _acknowledged(self) -> int:
        return sum(status in ACCEPTED for status in list(self.traffic.statuses.values()))

    def _sent_vote(self, number: int) -> SentVote:
        return SentVote(*self._ballots[number], self.traffic.statuses[number])

    def _open(self) -> list[Ballot]:
        """Open competitions, and return the ballots of all voters: in each competition every voter has one."""
        with psycopg.connect(self.house.database_url) as owner:
            organiser = synthetic_voters.insert(owner, prefix="organiser", count=1, role="organiser")[0]
            voters = synthetic_voters.insert(owner, prefix="voter", count=VOTERS)
        self._organiser = create_jwt_token(organiser, secret=JWT_SECRET)
        with contextlib.closing(Api(self.house.webs[0].target, self._organiser)) as api:
            ids = [self._competition(api, number) for number in range(COMPETITIONS)]
        return [Ballot(one, voter, "aab"[(voter + one) % 3]) for voter in voters for one in ids]

    @staticmethod
    def _competition(api: Api, number: int) -> int:
        made = api.ask("POST", "/api/admin/competitions", {"name": f"Stage {number}", "options": ["River", "Hall"]})
        assert made.status == 201, made.text
        return int(made.json["id"])
