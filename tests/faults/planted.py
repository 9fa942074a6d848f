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
READY = "tests/integration/worker/test_ready.py"
FROZEN = "tests/integration/worker/test_frozen.py"
ERASURE = "tests/integration/worker/test_erasure.py"
CLOSING = "tests/integration/worker/test_closing.py"
DOMAIN = "tests/unit/domain/test_rules.py"

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
        "        if self._running is None or self._running.done():\n",
        '        tell(Outcome("accepted", shard, None))\n        if self._running is None or self._running.done():\n',
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
        '        "retry": Retry(NoBackoff(), 0),\n',
        '        "retry": Retry(NoBackoff(), 3),\n',
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
        "vote/casting/attempt.py",
        '        origin.check_csrf(self._csrf_keys, session["sid"], form.csrf_token or header("x-csrf-token"))\n',
        "",
        (f"{CASTING}::test_a_browsers_form_needs_its_token_and_is_sent_to_the_page",),
    ),
    Fault(
        "another receipt for each press",
        "R1: the receipt is a keyed hash of competition and voter",
        "vote/domain/ballot.py",
        'mac(key, b"%d" % voter)',
        'mac(key, __import__("secrets").token_bytes(8))',
        (DOMAIN,),
    ),
    Fault(
        "the shard's row is read without a lock",
        "R4: who has not the lock records nothing",
        "vote/db/positions.py",
        '" WHERE shard = %s FOR UPDATE SKIP LOCKED"',
        '" WHERE shard = %s"',
        (f"{FROZEN}::test_what_a_frozen_worker_has_read_is_recorded_once",),
    ),
    Fault(
        "a restarted server is taken for the one before",
        "R5: a shard is ready for one server instance",
        "vote/ballotlog/box.lua",
        "return redis.call('HGET', state, 'ready') == run_id()",
        "return redis.call('HEXISTS', state, 'ready') == 1",
        (f"{BOX}::test_a_restarted_log_is_cold_until_a_worker_has_compared_it",),
    ),
    Fault(
        "a shard is made ready before it is drained",
        "R5: drained first, then voters and rules are pushed",
        "vote/worker/ready.py",
        "        if at.epoch != state.epoch or unread(log, at, state):",
        "        if False:",
        (f"{READY}::test_a_cold_shard_is_drained_before_it_is_ready",),
    ),
    Fault(
        "a promoted replica goes on as if nothing was lost",
        "R6: a promoted server that nobody waited for is a new epoch",
        "vote/worker/ready.py",
        "was_promoted = may_lack_a_tail and",
        "was_promoted = False and",
        (f"{READY}::test_a_promoted_log_that_nobody_waited_for_is_a_new_epoch_with_a_gap",),
    ),
    Fault(
        "voters of one life are pushed to the next",
        "R7: a push names the life of the shard it was made for",
        "vote/ballotlog/log.py",
        'self._push("vote_push_voters", names, self.renewed(shard), *flat)',
        'self._push("vote_push_voters", names, self.describe(shard.number), *flat)',
        (f"{READY}::test_voters_that_were_read_for_one_life_of_a_shard_are_not_told_to_the_next",),
    ),
    Fault(
        "a version number comes back after a restore",
        "R7: a version is never used twice",
        "vote/domain/competition.py",
        "    return max(previous + 1, int(now.timestamp() * 1000))",
        "    return previous + 1",
        (DOMAIN,),
    ),
    Fault(
        "the marker of an earlier closing counts",
        "R8: final when the marker of this closing is recorded in every shard",
        "vote/actions/closing.py",
        "if markers.get(shard) != competition.rules_version),",
        "if shard not in markers),",
        (f"{CLOSING}::test_only_an_admin_with_a_reason_may_decide_and_only_when_drained",),
    ),
    Fault(
        "final over a gap",
        "R8: over a gap only by an audited word",
        "vote/actions/closing.py",
        "        tuple(positions.open_gaps(tx, since=competition.opened_at)),\n",
        "        (),\n",
        (f"{CLOSING}::test_a_gap_holds_the_final_until_an_admin_decides",),
    ),
    Fault(
        "an erasure is not written to the log",
        "R10: a replay erases again",
        "vote/actions/accounts.py",
        "    return log.append_erasure(by)\n",
        "    return True\n",
        (f"{ERASURE}::test_a_restored_database_erases_again_and_the_vote_stays",),
    ),
    Fault(
        "an erasure that got lost is not asked for again",
        "R10: done once its entry is recorded",
        "vote/worker/schedule.py",
        "        log.append_erasure(person)\n",
        "        pass\n",
        (f"{ERASURE}::test_an_erasure_that_did_not_reach_the_log_is_asked_for_again",),
    ),
    Fault(
        "a log that syncs once a second passes as safe",
        "R1: the append is on disk before the answer",
        "vote/ballotlog/log.py",
        '"appendonly": "yes", "appendfsync": "always", ',
        '"appendonly": "yes", ',
        (f"{BOX}::test_the_log_says_why_it_may_not_hold_ballots",),
    ),
    Fault(
        "the function remembers rules from call to call",
        "R8: a shard refuses from the marker on",
        "vote/ballotlog/box.lua",
        "local function cast(keys, args)\n  local log, state, now = keys[1], keys[2], now_ms()\n"
        "  if now > tonumber(args[1]) then\n    return { now, 'expired' }\n"
        "  elseif not is_ready(state) then\n    return { now, 'cold' }\n  end\n"
        "  local before = tonumber(redis.call('HGET', state, 'last') or 0)\n"
        "  local position, known, answer = before, {}, { now, 'ok', before }\n",
        "local stale = {}\n"
        "local function cast(keys, args)\n  local log, state, now = keys[1], keys[2], now_ms()\n"
        "  if now > tonumber(args[1]) then\n    return { now, 'expired' }\n"
        "  elseif not is_ready(state) then\n    return { now, 'cold' }\n  end\n"
        "  local before = tonumber(redis.call('HGET', state, 'last') or 0)\n"
        "  local position, known, answer = before, stale, { now, 'ok', before }\n",
        (f"{WORKER}::test_closing_drains_before_it_is_final",),
    ),
    Fault(
        "a position moves and keeps its old epoch",
        "R5: a position is one of an epoch",
        "vote/db/positions.py",
        "        SET epoch = %s, position",
        "        SET epoch = coalesce(epoch, %s), position",
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
