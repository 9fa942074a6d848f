"""The faults. Each replaces a piece of the code that occurs exactly once, and names the tests of which one must fail."""

from typing import NamedTuple


class Fault(NamedTuple):
    """One way to break the system. `rule` is the promise or protocol rule it takes away."""

    name: str
    rule: str
    path: str
    before: str
    after: str
    tests: tuple[str, ...]


BOX = "tests/integration/ballotlog/test_box.py"
WORKER = "tests/integration/worker/test_worker.py"
EPOCHS = "tests/integration/worker/test_epochs.py"
FAULTS = "tests/system/test_faults.py"
CASTING = "tests/system/test_casting.py"

PLANTED = (
    Fault(
        "no dedupe in the function",
        "R2: the stored ballot comes first, one person one vote",
        "vote/ballotlog/box.lua",
        "local had = redis.call('HGET', voters, voter)",
        "local had = false",
        (f"{BOX}::test_two_hundred_ballots_of_one_voter_at_once_are_one",),
    ),
    Fault(
        "the closing is looked at before the stored ballot",
        "R2: a retry after the closing is `again`",
        "vote/ballotlog/box.lua",
        "if had == choice then",
        "local rules = redis.call('HGET', keys[3], competition)\n"
        "    if had == choice and string.find(rules, 'open') then",
        (f"{BOX}::test_what_cannot_be_stored_is_told_apart",),
    ),
    Fault(
        "the position is written outside the transaction",
        "R4: journal, votes, tally and position commit together",
        "vote/worker/drain.py",
        "        recorded = record_entries(tx, at, epoch=state.epoch, entries=entries)\n",
        "        if entries:\n"
        "            with db._pool.connection() as other:\n"
        "                other.execute('SET lock_timeout = 1')\n"
        "                tx.execute('COMMIT')\n"
        "                positions.move(other, at._replace(epoch=state.epoch, position=entries[-1].position,\n"
        "                                                  last_entry=entries[-1].id))\n"
        "                tx.execute('BEGIN')\n"
        "        recorded = record_entries(tx, at, epoch=state.epoch, entries=entries)\n",
        (f"{FAULTS}::test_ten_thousand_votes_survive_five_killed_workers",),
    ),
    Fault(
        "acknowledged before the append",
        "R1: nothing is called accepted before it is on disk",
        "vote/ballotlog/box.py",
        "        self._queue.append(waiting)\n",
        "        self._queue.append(waiting)\n"
        '        waiting.outcome.set_result(Outcome("accepted", waiting.shard, None))\n',
        (
            f"{FAULTS}::test_a_killed_log_loses_nothing_that_was_accepted",
            f"{CASTING}::test_each_refusal_has_its_own_clear_answer",
        ),
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
        "    _count(tx, at.shard, [one.ballot for one in placed], known)\n",
        "    _count(tx, at.shard, [ballot for _, ballot in batch], known)\n",
        (f"{EPOCHS}::test_a_half_replayed_log_brings_no_older_choice_back",),
    ),
    Fault(
        "no deadline in the function",
        "R3: after its deadline a call does nothing",
        "vote/ballotlog/box.lua",
        "  if now > tonumber(args[1]) then\n    return { now, 'expired' }\n  elseif not is_ready(state) then",
        "  if not is_ready(state) then",
        (
            f"{BOX}::test_a_call_after_its_deadline_does_nothing",
            f"{BOX}::test_an_unknown_outcome_is_told_only_after_the_deadline",
        ),
    ),
    Fault(
        "503 is told before the deadline has passed",
        "R3: what is told 503 can no longer land",
        "vote/ballotlog/box.py",
        "            await asyncio.sleep(max(0.0, passed_at - time.monotonic()))\n",
        "",
        ("tests/integration/ballotlog/test_deadline.py",),
    ),
    Fault(
        "a shard is never cold",
        "R5: a restarted server takes nothing until it was compared",
        "vote/ballotlog/box.lua",
        "  elseif not is_ready(state) then\n    return { now, 'cold' }\n  end",
        "  end",
        (f"{BOX}::test_a_restarted_log_is_cold_until_a_worker_has_compared_it",),
    ),
    Fault(
        "a new epoch is read from the old position",
        "R5: another epoch is read from its start",
        "vote/worker/drain.py",
        "after = at.position if at.epoch == state.epoch else 0",
        "after = at.position",
        (f"{EPOCHS}::test_a_ballot_of_a_new_epoch_below_the_old_position_is_recorded",),
    ),
    Fault(
        "voters are not pushed to a new epoch",
        "R5: a new epoch knows whose votes PostgreSQL has",
        "vote/worker/ready.py",
        "if positions.is_new_epoch(tx, state.number, state.epoch):",
        "if False:",
        (f"{WORKER}::test_a_wiped_log_begins_a_new_epoch_with_a_gap_and_knows_its_voters",),
    ),
    Fault(
        "no gap row",
        "R5: a break between two lives is recorded",
        "vote/actions/recording.py",
        "    if at.epoch is not None and at.epoch != epoch:\n",
        "    if False:\n",
        (f"{WORKER}::test_a_wiped_log_begins_a_new_epoch_with_a_gap_and_knows_its_voters",),
    ),
    Fault(
        "the last entry is not compared",
        "R6: a lost tail is noticed",
        "vote/worker/drain.py",
        "    return entry is None or (at.last_entry is not None and entry.id != at.last_entry)",
        "    return False",
        (f"{WORKER}::test_a_lost_tail_is_noticed",),
    ),
    Fault(
        "any version is pushed over any other",
        "R7: a push needs a higher version",
        "vote/ballotlog/box.lua",
        "if not present or parse_rules(text).version > parse_rules(present).version then",
        "if true then",
        (f"{BOX}::test_pushes_of_another_life_or_an_older_version_are_refused",),
    ),
    Fault(
        "a push does not name its epoch",
        "R7: a push is for one epoch and one server instance",
        "vote/ballotlog/box.lua",
        "  elseif redis.call('HGET', state, 'epoch') ~= epoch or run_id() ~= made_for then\n    return 'foreign'\n"
        "  elseif warming",
        "  elseif warming",
        (f"{BOX}::test_pushes_of_another_life_or_an_older_version_are_refused",),
    ),
    Fault(
        "final without the markers",
        "R8: final only when every shard's marker is recorded",
        "vote/actions/closing.py",
        "        tuple(shard for shard in shards if markers.get(shard) != competition.rules_version),\n",
        "        (),\n",
        (f"{WORKER}::test_closing_drains_before_it_is_final",),
    ),
    Fault(
        "final over unmatched ballots",
        "R8: unmatched ballots hold the final",
        "vote/actions/closing.py",
        "        positions.count_unmatched(tx, competition.id),\n",
        "        0,\n",
        (f"{WORKER}::test_a_ballot_of_an_unknown_voter_is_kept_aside_and_holds_the_final",),
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
        "the client library sends again by itself",
        "R3: one call for one press of the button",
        "vote/ballotlog/connection.py",
        "        retry=Retry(NoBackoff(), 0),\n",
        "        retry=Retry(NoBackoff(), 3),\n",
        ("tests/integration/ballotlog/test_deadline.py",),
    ),
    Fault(
        "a token's signature is not looked at",
        "RFC 8725 §3.2",
        "vote/edge/bearer.py",
        "        if hmac.compare_digest(expected, signature):",
        "        if True:",
        ("tests/unit/test_auth.py",),
    ),
    Fault(
        "a log-out is not followed by other processes",
        "a log-out counts everywhere within a second",
        "vote/edge/revoked.py",
        "        while not self._stop.wait(REFRESH_S):\n            self._try_refresh()\n",
        "        while not self._stop.wait(REFRESH_S):\n",
        (f"{CASTING}::test_a_log_out_counts_on_every_process_within_a_second",),
    ),
    Fault(
        "a form needs no token",
        "CSRF: a browser's form carries the token of its session",
        "vote/casting/endpoint.py",
        '        origin.check_csrf(self._csrf_keys, session["sid"], form.csrf_token or header("x-csrf-token"))\n',
        "",
        (f"{CASTING}::test_a_browsers_form_needs_its_token_and_is_sent_to_the_page",),
    ),
)
