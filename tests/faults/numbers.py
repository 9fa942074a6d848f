"""Faults of numbers that leave the database and are trusted when they come back; the form is that of `fault.py`."""

from tests.faults.fault import Fault

NUMBERS = "tests/integration/db/test_random_ids.py"
REINSTATING = "tests/integration/worker/test_reinstatement.py"
LOST = "tests/system/test_promoted_standby.py"
VERIFY = "tests/integration/ops/integrity/test_reinstated.py"
MIGRATION = "vote/db/migrations/0008_numbers.sql"

NUMBER_FAULTS = (
    Fault(
        "accounts are numbered in a row again",
        "A number is never given twice",
        MIGRATION,
        "ALTER TABLE users ALTER id SET DEFAULT random_id(), ADD CHECK",
        "CREATE SEQUENCE again;\nGRANT USAGE ON SEQUENCE again TO vote_web;\n"
        "ALTER TABLE users ALTER id SET DEFAULT nextval('again'), ADD CHECK",
        (f"{LOST}::test_no_number_is_given_twice",),
    ),
    Fault(
        "half of the bits of a number are not drawn",
        "Numbers of accounts have 52 random bits",
        MIGRATION,
        "substr(digits, 1, 12) || substr(digits, 14, 1)",
        "substr(digits, 1, 6) || repeat('0', 7)",
        (f"{NUMBERS}::test_accounts_are_numbered_at_random",),
    ),
    Fault(
        "a number that is in use is an error",
        "A number that is in use is drawn again",
        "vote/db/users.py",
        "DRAWS = 10",
        "DRAWS = 1",
        (f"{NUMBERS}::test_a_number_that_is_in_use_is_drawn_again",),
    ),
    Fault(
        "a promoted database numbers competitions on",
        "A number is never given twice",
        "vote/db/competitions.py",
        '    """Insert a competition. Returns its id, which no other one ever had."""\n    incarnations.note(tx)\n',
        '    """Insert a competition. Returns its id, which no other one ever had."""\n',
        (f"{NUMBERS}::test_competitions_are_numbered_in_order_and_leap_with_each_incarnation",),
    ),
    Fault(
        "the log is not asked whether it knows a number",
        "A number is never given twice",
        "vote/actions/competition_ids.py",
        "        return log.knows(competition_id)\n",
        "        return False\n",
        (f"{NUMBERS}::test_a_number_that_the_ballot_log_knows_is_not_given",),
    ),
    Fault(
        "a new incarnation counts versions from the same",
        "A version is never repeated",
        "vote/db/tallies.py",
        "c.state_changes + {VERSIONS_FROM}",
        "c.state_changes + 0 * {VERSIONS_FROM}",
        (f"{NUMBERS}::test_versions_of_tallies_never_repeat",),
    ),
    Fault(
        "an entity tag is given twice",
        "An old If-Match matches nothing else",
        "vote/db/competitions.py",
        "c.revision + {VERSIONS_FROM} AS revision",
        "c.revision + 0 * {VERSIONS_FROM} AS revision",
        (f"{NUMBERS}::test_an_old_etag_fits_nothing_after_a_failover",),
    ),
    Fault(
        "the worker records without a look at the incarnation",
        "A version is never repeated",
        "vote/worker/worker.py",
        "            if incarnations.note(tx):\n",
        "            if False:\n",
        (f"{NUMBERS}::test_the_worker_notes_a_new_incarnation_before_it_records",),
    ),
    Fault(
        "gaps are numbered in a row again",
        "A decision meets no other gap",
        MIGRATION,
        "ALTER TABLE log_gaps ALTER id DROP IDENTITY, ALTER id TYPE bigint, ALTER decided_by TYPE bigint;\n"
        "ALTER TABLE log_gaps ALTER id SET DEFAULT random_id();\n",
        "ALTER TABLE log_gaps ALTER id TYPE bigint, ALTER decided_by TYPE bigint;\n",
        (f"{NUMBERS}::test_what_a_page_names_is_not_numbered_in_order",),
    ),
    Fault(
        "a ballot that comes late changes a final tally",
        "R8: a final result changes by an audited word only",
        "vote/actions/recording.py",
        'if known[entry.ballot.competition].state == "closed"}',
        "if False}",
        (f"{REINSTATING}::test_a_ballot_that_comes_after_the_final_result_is_set_aside",),
    ),
    Fault(
        "a final ballot that is read again is set aside",
        "R4: what the journal has is nothing new",
        "vote/actions/recording.py",
        "    late -= ballots.in_journal(tx, late)\n",
        "",
        (f"{REINSTATING}::test_a_ballot_of_a_final_result_that_is_read_again_is_nothing_new",),
    ),
    Fault(
        "a reinstated ballot replaces a newer vote",
        "R4: the last ballot counts where votes may change",
        "vote/db/reinstatements.py",
        "    AND NOT EXISTS (SELECT FROM votes v WHERE v.competition_id = u.competition_id AND v.user_id = u.user_id)\n",
        "",
        (f"{REINSTATING}::test_a_vote_that_is_recorded_is_not_replaced_by_what_came_before_it",),
    ),
    Fault(
        "copies of a final result outlive a reinstatement",
        "A final result that changed has another name in the cache",
        "vote/actions/reinstatement.py",
        '        if competition.state in ("closed", "archived"):\n',
        "        if False:\n",
        (f"{REINSTATING}::test_a_final_tally_changes_by_this_word_and_its_copies_are_old",),
    ),
    Fault(
        "a reinstated ballot is taken for one out of place",
        "`vote verify` finds nothing where nothing is wrong",
        "vote/ops/integrity/journal.py",
        "*(() if row.is_reinstated else _position_problems(row, placed, follow)),",
        "*_position_problems(row, placed, follow),",
        (f"{VERIFY}::test_reinstated_ballots_are_in_order_and_each_is_accounted_for",),
    ),
    Fault(
        "a token of a lost account passes where anyone may",
        "A token of an account that is not there is 401",
        "vote/web/request_guards.py",
        '    elif who.via == "bearer":\n',
        "    elif False:\n",
        (f"{LOST}::test_each_token_is_the_same_person_or_nobody",),
    ),
    Fault(
        "a token of a lost account opens a socket",
        "A token of an account that is not there is 401",
        "vote/live/admission.py",
        "            if person_of(users.find(tx, user_id)) is None:\n",
        "            if False:\n",
        (f"{LOST}::test_a_token_of_nobody_opens_no_socket",),
    ),
)
