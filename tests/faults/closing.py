"""Faults of closing, of versions of the rules, and of erasure; the form is that of `fault.py`."""

from tests.faults.fault import Fault

WORKER = "tests/integration/worker/test_worker.py"
ERASURE = "tests/integration/worker/test_erasure.py"
CLOSING = "tests/integration/worker/test_closing.py"
DOMAIN = "tests/unit/domain/test_rules.py"

CLOSING_FAULTS = (
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
        "        shard_positions.count_unmatched(tx, competition.id),\n",
        "        0,\n",
        (f"{WORKER}::test_a_ballot_of_an_unknown_voter_is_kept_aside_and_holds_the_final",),
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
        "        tuple(shard_positions.open_gaps(tx, since=competition.opened_at)),\n",
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
        "vote/worker/erasures.py",
        "        log.append_erasure(person)\n",
        "        pass\n",
        (f"{ERASURE}::test_an_erasure_that_did_not_reach_the_log_is_asked_for_again",),
    ),
)
