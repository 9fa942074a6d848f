"""A restore to a time takes people and competitions back; what was given away since is never taken for something else."""

from pathlib import Path

from tests.casting import cast, installation_of
from tests.integration.ops.backed_up import Installation, tend_until
from vote.actions import competitions as change
from vote.actions import reinstatement
from vote.ballotlog.log import BallotLog
from vote.db import competitions, quarantine, tallies, users
from vote.db.pool import Database
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.ops.backup.segments import parse_lsn
from vote.ops.backup.stream import has_reached
from vote.ops.embedded.programs import ServerSource
from vote.worker.worker import Worker


class Site:
    """An installation with its log, and a worker that is stepped by hand."""

    def __init__(self, one: Installation) -> None:
        self.one = one
        self.owner = Database(one.settings.database("owner"), size=4, name="vote tests")
        self.log = BallotLog(one.settings.log_url, one.settings.vote_shards, installation_of(one.settings))
        self.worker = Worker.from_settings(one.settings)
        self.worker.prepare()
        self.worker.step()
        self.admin = Person(self.insert("admin"), "admin", "admin")

    def insert(self, name: str) -> int:
        with self.owner.transaction(by="tests") as tx:
            found = users.find_by_username(tx, name)
            role = "admin" if name == "admin" else "voter"
            return (
                found.id
                if found
                else users.insert(tx, username=name, email=f"{name}@example.com", password_hash="x", role=role)
            )

    def create(self) -> Competition:
        return change.create(self.owner, self.log, by=self.admin, name="Which?", options=["A", "B"])

    def cast(self, competition: Competition, voters: list[int]) -> None:
        for voter in voters:
            cast(self.one.settings, competition.id, voter, "a")
        self.worker.step()

    def total(self, competition: int) -> int:
        with self.owner.read() as tx:
            return tallies.read(tx, [competition])[competition].total

    def close(self) -> None:
        self.worker.close()
        self.log.close()
        self.owner.close()


def test_people_who_are_gone_after_a_restore_to_a_time_are_nobody_else(
    server_source: ServerSource, tmp_path: Path
) -> None:
    one = Installation(server_source, tmp_path / "home")
    try:
        site = Site(one)
        kept, known = site.create(), [site.insert(f"known-{n}") for n in range(3)]
        site.cast(kept, known)
        one.json("backup", "create")
        stream = one.stream()
        with stream.running():
            when = one.sql("SELECT clock_timestamp()")[0][0]
            one.sql("SELECT pg_sleep(0.05)")
            lost = {f"lost-{n}": site.insert(f"lost-{n}") for n in range(40)}
            gone = site.create()
            for competition in (kept, gone):
                site.cast(competition, list(lost.values()))
            assert site.total(kept.id) == 43
            one.json_while(stream, "backup", "create")  # it begins a new segment, so the copy ends with a whole record
            lsn = one.sql("SELECT pg_current_wal_flush_lsn()")[0][0]
            tend_until(stream, lambda: has_reached(stream.stream, 1, parse_lsn(lsn)))
        site.close()
        one.pair.stop_database()
        one.json("restore", "--to-time", when.isoformat())
        one.pair.restart_database()

        again = Site(one)
        new = [again.insert(f"new-{n}") for n in range(40)]
        after = again.create()
        again.cast(after, new[:2])

        assert not set(new) & set(lost.values())
        assert after.id > gone.id
        assert (again.total(kept.id), again.total(after.id)) == (3, 2)
        with again.owner.read() as tx:
            assert competitions.find(tx, gone.id) is None
            assert quarantine.counts(tx).unmatched == 80
        for name, number in lost.items():
            one.sql(
                "INSERT INTO users (id, username, email, password_hash) VALUES (%s, %s, %s, 'x')", number, name, name
            )
        reinstatement.ask(
            again.owner, kept.id, by=again.admin, reason="Their accounts were copied from the data set aside."
        )
        assert reinstatement.run_pending(again.owner, by="tests") == {kept.id: 40}
        assert again.total(kept.id) == 43
        again.close()
    finally:
        one.pair.stop()
