"""Faults of the ballot log: its function, the calls to it, and what is pushed to it; the form is that of `fault.py`."""

from tests.faults.fault import Fault

BOX = "tests/integration/ballotlog/test_ballot_box.py"
WORKER = "tests/integration/worker/test_worker.py"
FAULTS = "tests/system/test_faults.py"
CASTING = "tests/system/test_casting.py"
READY = "tests/integration/worker/test_make_ready.py"

BALLOT_LOG_FAULTS = (
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
        "acknowledged before the append",
        "R1: nothing is called accepted before it is on disk",
        "vote/ballotlog/ballot_box.py",
        "        return await outcome\n",
        '        return Outcome("accepted", shard, "", None)\n',
        (
            f"{FAULTS}::test_a_killed_log_loses_nothing_that_was_accepted",
            f"{CASTING}::test_each_refusal_has_its_own_clear_answer",
        ),
    ),
    Fault(
        "no deadline in the function",
        "R3: after its deadline a call does nothing",
        "vote/ballotlog/box.lua",
        "  elseif now > tonumber(args[2]) then\n    return { now, 'expired' }\n  elseif not owner",
        "  elseif not owner",
        (
            f"{BOX}::test_a_call_after_its_deadline_does_nothing",
            f"{BOX}::test_an_unknown_outcome_is_told_only_after_the_deadline",
        ),
    ),
    Fault(
        "503 is told before the deadline has passed",
        "R3: what is told 503 can no longer land",
        "vote/ballotlog/ballot_box.py",
        "            await asyncio.sleep(max(0.0, passed_at - time.monotonic()))\n",
        "",
        ("tests/integration/ballotlog/test_deadline.py",),
    ),
    Fault(
        "a shard is never cold",
        "R5: a restarted server takes nothing until it was compared",
        "vote/ballotlog/box.lua",
        "  elseif not owner or ready ~= run_id() then\n    return { now, 'cold' }\n  end",
        "  end",
        (f"{BOX}::test_a_restarted_log_is_cold_until_a_worker_has_compared_it",),
    ),
    Fault(
        "any version is pushed over any other",
        "R7: a push needs a higher version",
        "vote/ballotlog/box.lua",
        "if not known or pushed.version > known.version then",
        "if true then",
        (f"{BOX}::test_pushes_of_another_life_or_an_older_version_are_refused",),
    ),
    Fault(
        "a push does not name its epoch",
        "R7: a push is for one epoch and one server instance",
        "vote/ballotlog/box.lua",
        "  elseif redis.call('HGET', state, 'epoch') ~= args[3] or run_id() ~= args[4] then\n    return { now, 'foreign' }\n"
        "  elseif warming",
        "  elseif warming",
        (f"{BOX}::test_pushes_of_another_life_or_an_older_version_are_refused",),
    ),
    Fault(
        "the client library sends again by itself",
        "R3: one call for one press of the button",
        "vote/redis_client.py",
        '        "retry": Retry(NoBackoff(), 0),\n',
        '        "retry": Retry(NoBackoff(), 3),\n',
        ("tests/integration/ballotlog/test_deadline.py",),
    ),
    Fault(
        "a restarted server is taken for the one before",
        "R5: a shard is ready for one server instance",
        "vote/ballotlog/box.lua",
        "  elseif not owner or ready ~= run_id() then",
        "  elseif not owner or not ready then",
        (f"{BOX}::test_a_restarted_log_is_cold_until_a_worker_has_compared_it",),
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
        "local function cast(keys, args)\n"
        "  local log, state, now = keys[1], keys[2], now_ms()\n"
        "  local owner, epoch, last, ready = unpack(redis.call('HMGET', state, 'installation', 'epoch', 'last', 'ready'))\n"
        "  if owner and owner ~= args[1] then\n"
        "    return { now, 'not_owner', owner }  -- R11\n"
        "  elseif now > tonumber(args[2]) then\n"
        "    return { now, 'expired' }\n"
        "  elseif not owner or ready ~= run_id() then\n"
        "    return { now, 'cold' }\n"
        "  end\n"
        "  local before = tonumber(last or 0)\n"
        "  if args[4] == epoch and before < tonumber(args[5]) then\n"
        "    mark_set_back(state, epoch)\n"
        "    return { now, 'behind' }\n"
        "  end\n"
        "  local position, known, answer = before, {}, { now, 'ok', epoch, before }\n",
        "local stale = {}\n"
        "local function cast(keys, args)\n"
        "  local log, state, now = keys[1], keys[2], now_ms()\n"
        "  local owner, epoch, last, ready = unpack(redis.call('HMGET', state, 'installation', 'epoch', 'last', 'ready'))\n"
        "  if owner and owner ~= args[1] then\n"
        "    return { now, 'not_owner', owner }  -- R11\n"
        "  elseif now > tonumber(args[2]) then\n"
        "    return { now, 'expired' }\n"
        "  elseif not owner or ready ~= run_id() then\n"
        "    return { now, 'cold' }\n"
        "  end\n"
        "  local before = tonumber(last or 0)\n"
        "  if args[4] == epoch and before < tonumber(args[5]) then\n"
        "    mark_set_back(state, epoch)\n"
        "    return { now, 'behind' }\n"
        "  end\n"
        "  local position, known, answer = before, stale, { now, 'ok', epoch, before }\n",
        (f"{WORKER}::test_closing_drains_before_it_is_final",),
    ),
)
