"""Faults of what voters relied on, and of pages that are left open; the form is that of `fault.py`."""

from tests.faults.fault import Fault

HOLDING = "tests/integration/actions/test_competition_holds.py"
CORRECTIONS = "tests/integration/actions/test_corrections.py"
PROMISES = "tests/integration/actions/test_competition_changes.py"
MACHINE = "tests/integration/actions/test_visibility_machine.py"
LEFT_OPEN = "tests/browser/test_pages_left_open.py"
LIVE = "tests/integration/live/test_page_state.py"

PROMISE_FAULTS = (
    Fault(
        "a schedule acts on what was due when it looked",
        "a frozen worker changes nothing when it wakes",
        "vote/actions/competitions.py",
        "        state = competitions.due_state(tx, competition_id)\n",
        "        state: State | None = 'closing' if before and before.state == 'open' else 'open'\n",
        (
            "tests/integration/worker/test_schedule.py::test_what_was_due_when_a_worker_looked_and_no_longer_is_stays_as_it_is",
        ),
    ),
    Fault(
        "one that opens too late forgets its end",
        "voting ends at its closing time",
        "vote/actions/competitions.py",
        "_become(tx, before, state, now=datetime.now(UTC))\n",
        "_become(tx, before, state, now=datetime.now(UTC), closes_at=None)\n",
        (
            "tests/integration/worker/test_schedule.py::test_one_whose_times_have_both_passed_takes_no_ballot_and_is_closed",
        ),
    ),
    Fault(
        "two hold voting at the same time",
        "whoever does the same does it after the other",
        "vote/actions/competition_holds.py",
        "            if before.held_until is None or before.held_until <= datetime.now(UTC):\n",
        "            if True:\n",
        (
            "tests/integration/actions/test_competition_holds.py::test_those_who_do_the_same_at_the_same_moment_do_it_one_after_the_other",
        ),
    ),
    Fault(
        "a corrected option may look like another",
        "one folding, wherever texts are compared",
        "vote/domain/policy.py",
        "        if text_key(label) in",
        "        if label.casefold() in",
        ("tests/integration/actions/test_corrections.py::test_an_option_does_not_become_another_in_two_steps",),
    ),
    Fault(
        "a line and its end are two writes",
        "every line is one JSON object",
        "vote/logs.py",
        "structlog.WriteLoggerFactory(output)",
        "structlog.PrintLoggerFactory(output)",
        ("tests/unit/test_logs.py::test_a_line_and_its_end_are_one_write",),
    ),
    Fault(
        "who has voted does not see the old words",
        "each later wording is shown to everybody",
        "vote/db/votes.py",
        "(*columns, corrections_from(corrected))",
        "(*columns, ())",
        ("tests/integration/actions/test_corrections.py::test_who_has_voted_sees_the_old_words_beside_the_own_vote",),
    ),
    Fault(
        "only recorded ballots count when something is deleted",
        "once a ballot is accepted, question, options and rules stay",
        "vote/ballotlog/log.py",
        "            voters += answer[2]\n",
        "            voters += 0\n",
        (f"{PROMISES}::test_a_competition_with_an_accepted_ballot_is_not_deleted_and_goes_on",),
    ),
    Fault(
        "whether anyone has voted is asked once, before voting stands still",
        "no ballot is accepted between the look and what depends on it",
        "vote/actions/competition_holds.py",
        "        if log.has_ballots(held.id, under=held.rules_version):\n            raise Conflict(refusal)\n",
        "",
        (f"{HOLDING}::test_a_ballot_accepted_after_the_first_look_is_seen",),
    ),
    Fault(
        "the log goes on taking ballots while it is looked for them",
        "no ballot is accepted between the look and what depends on it",
        "vote/ballotlog/entries.py",
        '            "archived" if competition.held_until is not None else competition.state,\n',
        "            competition.state,\n",
        (f"{HOLDING}::test_after_the_last_look_no_ballot_is_accepted",),
    ),
    Fault(
        "a hold that someone else has ended decides all the same",
        "no ballot is accepted between the look and what depends on it",
        "vote/actions/competition_holds.py",
        "if present.rules_version != held.rules_version:",
        "if False:",
        (f"{HOLDING}::test_a_hold_that_somebody_else_ended_decides_nothing",),
    ),
    Fault(
        "voting stands still forever when a process dies in between",
        "a hold ends by itself",
        "vote/db/competition_holds.py",
        'tx.execute("SELECT id, rules_version FROM competitions WHERE held_until < now()")',
        'tx.execute("SELECT id, rules_version FROM competitions WHERE false")',
        (f"{HOLDING}::test_a_hold_whose_process_died_is_released_by_the_worker",),
    ),
    Fault(
        "a log that is away has no ballots",
        "while nobody can tell, nothing is changed",
        "vote/actions/competition_holds.py",
        "        if before.state in _SETTLED or not _was_log_ever_ready(tx):\n",
        "        if True:\n",
        (f"{PROMISES}::test_while_the_log_is_away_nothing_is_changed_that_depends_on_it",),
    ),
    Fault(
        "a close loosens who sees the results",
        "results are never shown earlier than announced, by no sequence of calls",
        "vote/domain/policy.py",
        "    if competition.opened_at is not None and _SHOWS[wanted] <",
        "    if competition.opened_at is not None and competition.state not in FINAL_STATES and _SHOWS[wanted] <",
        (
            f"{PROMISES}::test_no_way_round_leads_to_results_earlier_than_announced",
            "tests/unit/domain/test_rules.py::test_what_voters_were_promised_stays",
        ),
    ),
    Fault(
        "a close lets the question be replaced",
        "once a ballot is accepted, question, options and rules stay",
        "vote/domain/policy.py",
        "    if words:\n",
        "    if False:\n",
        (f"{CORRECTIONS}::test_after_the_close_words_stay_with_and_without_a_correction",),
    ),
    Fault(
        "a correction makes one option into another",
        "a correction mends words and moves no vote",
        "vote/domain/policy.py",
        "    return present | {\n",
        "    return set() and {\n",
        (f"{CORRECTIONS}::test_a_correction_corrects_words_and_nothing_else",),
    ),
    Fault(
        "a correction leaves no trace",
        "everybody sees old and new words",
        "vote/db/competitions.py",
        "    for field, before, after in corrections:\n        tx.execute(",
        "    for field, before, after in corrections:\n        (lambda *_: None)(",
        (f"{CORRECTIONS}::test_a_typo_is_corrected_in_sight_of_everybody",),
    ),
    Fault(
        "a reopening forgets that there was a final result",
        "a reopened competition says so",
        "vote/db/competitions.py",
        "'open' AND status = 'closed' THEN closed_at ELSE",
        "'open' AND status = 'draft' THEN closed_at ELSE",
        (f"{PROMISES}::test_a_reopened_one_says_so",),
    ),
    Fault(
        "a stranger's page never hears of the close",
        "a page that is left open ends right by itself",
        "vote/live/endpoint.py",
        "        for kind in KINDS:\n",
        '        for kind in ("figures", "page"):\n',
        (f"{LIVE}::test_a_stranger_hears_of_the_close_without_a_figure",),
    ),
    Fault(
        "hidden figures stay where there is no socket",
        "socket and polling obey one visibility rule",
        "vote/web/static/js/channel.js",
        "new Set([401, 403, 404, 410])",
        "new Set([])",
        (f"{LEFT_OPEN}::test_what_becomes_hidden_or_is_gone_leaves_the_screen[polling]",),
    ),
    Fault(
        "a page without a socket ignores Retry-After",
        "Retry-After is kept (RFC 9110 §10.2.3)",
        "vote/web/static/js/channel.js",
        "Math.max(waitMs, soon(pace))",
        "soon(pace)",
        (f"{LEFT_OPEN}::test_retry_after_is_kept",),
    ),
    Fault(
        "a ballot on its way is torn out of the page",
        "news never takes away what its voter is doing",
        "vote/web/static/js/page.js",
        'const isSending = (main) => main.querySelector("[data-sending]") !== null;',
        "const isSending = () => false;",
        (f"{LEFT_OPEN}::test_a_ballot_on_its_way_is_not_torn_out_of_the_page",),
    ),
)
