"""Faults of the worker: draining, recording, and making a shard ready; the form is that of `fault.py`."""

from tests.faults.fault import Fault

WORKER = "tests/integration/worker/test_worker.py"
EPOCHS = "tests/integration/worker/test_epochs.py"
FAULTS = "tests/system/test_faults.py"
READY = "tests/integration/worker/test_make_ready.py"
FROZEN = "tests/integration/worker/test_frozen.py"

RECORDING_FAULTS = (
    Fault(
        "the position is written outside the transaction",
        "R4: journal, votes, tally and position commit together",
        "vote/worker/drain.py",
        "        recorded = record_entries(tx, position, epoch=state.epoch, entries=entries, doubted_from=doubted_from)\n",
        "        if entries:\n"
        "            with db._pool.connection() as other:\n"
        "                other.execute('SET lock_timeout = 1')\n"
        "                tx.execute('COMMIT')\n"
        "                at = position._replace(epoch=state.epoch, position=entries[-1].position,\n"
        "                                       last_entry=entries[-1].id)\n"
        "                shard_lock.advance(other, at)\n"
        "                tx.execute('BEGIN')\n"
        "        recorded = record_entries(tx, position, epoch=state.epoch, entries=entries, doubted_from=doubted_from)\n",
        (f"{FAULTS}::test_ten_thousand_votes_survive_five_killed_workers",),
    ),
    Fault(
        "the tally is counted per batch, not per inserted row",
        "R4: deltas only from rows really inserted",
        "vote/actions/recording.py",
        "        delta.update(ballots.insert_first_votes(tx, first.values()))\n",
        "        ballots.insert_first_votes(tx, first.values())\n"
        "        delta.update((vote.competition, vote.choice) for vote in first.values())\n",
        (f"{EPOCHS}::test_a_second_ballot_after_a_gap_is_in_the_journal_and_not_in_the_tally",),
    ),
    Fault(
        "ballots that the journal had are counted again",
        "R4: only what the journal really took may count",
        "vote/actions/recording.py",
        "    count(tx, position.shard, [entry.ballot for entry in matched], known)\n",
        "    count(tx, position.shard, [ballot for _, ballot in batch], known)\n",
        (f"{EPOCHS}::test_a_half_replayed_log_brings_no_older_choice_back",),
    ),
    Fault(
        "a new epoch is read from the old position",
        "R5: another epoch is read from its start",
        "vote/worker/drain.py",
        "after = position.position if position.epoch == state.epoch else 0",
        "after = position.position",
        (f"{EPOCHS}::test_a_ballot_of_a_new_epoch_below_the_old_position_is_recorded",),
    ),
    Fault(
        "voters are not pushed to a new epoch",
        "R5: a new epoch knows whose votes PostgreSQL has",
        "vote/worker/make_ready.py",
        "if shard_positions.is_new_epoch(tx, state.number, state.epoch):",
        "if False:",
        (f"{WORKER}::test_a_wiped_log_begins_a_new_epoch_with_a_gap_and_knows_its_voters",),
    ),
    Fault(
        "no gap row",
        "R5: a break between two lives is recorded",
        "vote/actions/recording.py",
        "    if position.epoch is not None and position.epoch != epoch:\n",
        "    if False:\n",
        (f"{WORKER}::test_a_wiped_log_begins_a_new_epoch_with_a_gap_and_knows_its_voters",),
    ),
    Fault(
        "the last entry is not compared",
        "R6: a lost tail is noticed",
        "vote/worker/drain.py",
        "    return entry is None or (position.last_entry is not None and entry.id != position.last_entry)",
        "    return False",
        (f"{WORKER}::test_a_lost_tail_is_noticed",),
    ),
    Fault(
        "a frozen worker keeps its lock",
        "R4: another worker takes over within 5 s",
        "vote/db/pool.py",
        "IDLE_IN_TRANSACTION_MS = 3_000",
        "IDLE_IN_TRANSACTION_MS = 3_000_000",
        ("tests/integration/db/test_schema.py::test_a_transaction_that_sleeps_lets_go_of_its_locks",),
    ),
    Fault(
        "the shard's row is read without a lock",
        "R4: who has not the lock records nothing",
        "vote/db/shard_lock.py",
        '" WHERE shard = %s FOR UPDATE SKIP LOCKED"',
        '" WHERE shard = %s"',
        (f"{FROZEN}::test_what_a_frozen_worker_has_read_is_recorded_once",),
    ),
    Fault(
        "a shard is made ready before it is drained",
        "R5: drained first, then voters and rules are pushed",
        "vote/worker/make_ready.py",
        "        if position.epoch != state.epoch or unread(log, position, state):",
        "        if False:",
        (f"{READY}::test_a_cold_shard_is_drained_before_it_is_ready",),
    ),
    Fault(
        "a promoted replica goes on as if nothing was lost",
        "R6: a promoted server that nobody waited for is a new epoch",
        "vote/worker/make_ready.py",
        "was_promoted = may_lack_a_tail and",
        "was_promoted = False and",
        (f"{READY}::test_a_promoted_log_that_nobody_waited_for_is_a_new_epoch_with_a_gap",),
    ),
    Fault(
        "a position moves and keeps its old epoch",
        "R5: a position is one of an epoch",
        "vote/db/shard_lock.py",
        "        SET epoch = %(epoch)s, position",
        "        SET epoch = coalesce(epoch, %(epoch)s), position",
        (f"{EPOCHS}::test_a_new_life_moves_the_position_to_its_epoch",),
    ),
    Fault(
        "the last ballot counts where the first one should",
        "R4: the first ballot counts where change is not allowed",
        "vote/actions/recording.py",
        "        if known[ballot.competition].allow_change:\n",
        "        if True:\n",
        (f"{EPOCHS}::test_a_second_ballot_after_a_gap_is_in_the_journal_and_not_in_the_tally",),
    ),
)
