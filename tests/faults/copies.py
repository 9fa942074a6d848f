"""Faults of the cache; the form is that of `fault.py`."""

from tests.faults.fault import Fault

CACHE = "tests/integration/services/test_cache.py"
PAGES = "tests/integration/services/test_competition_cache.py"
COPY_FAULTS = (
    Fault(
        "a change of state is not told to the cache",
        "a copy is forgotten when what it shows has changed",
        "vote/db/competitions.py",
        'A reopening keeps since when a result was final.\n    """\n    _changes(tx, competition_id)\n',
        'A reopening keeps since when a result was final.\n    """\n',
        (f"{PAGES}::test_a_change_is_seen_at_once",),
    ),
    Fault(
        "the worker tells nobody of its changes",
        "a copy is forgotten when what it shows has changed",
        "vote/worker/worker.py",
        ", on_change=changes)",
        ")",
        (f"{PAGES}::test_a_change_is_seen_at_once",),
    ),
    Fault(
        "the list is not forgotten",
        "a copy is forgotten when what it shows has changed",
        "vote/services/competition_cache.py",
        "forget([LISTED, *(",
        "forget([*(",
        (f"{PAGES}::test_a_change_is_seen_at_once",),
    ),
    Fault(
        "a change leaves the lease of who reads",
        "nobody stores what was read before a change",
        "vote/services/cache.py",
        "for key in (lease_of(owner, name), key_of(owner, name)):",
        "for key in (key_of(owner, name),):",
        (f"{CACHE}::test_what_was_read_before_a_change_is_not_stored_after_it",),
    ),
    Fault(
        "a copy is stored without the lease",
        "an old rebuild does not overwrite a newer copy",
        "vote/services/cache.py",
        "if redis.call('GET', KEYS[2]) == ARGV[1] then",
        "if true then",
        (f"{CACHE}::test_an_old_rebuild_does_not_overwrite_a_newer_copy",),
    ),
    Fault(
        "a change that comes while another is told is forgotten",
        "a copy is dropped for every change",
        "vote/services/cache.py",
        " if self._owed.get(name) is change]",
        " if name in self._owed]",
        (f"{CACHE}::test_what_changes_again_while_it_is_forgotten_is_owed_still",),
    ),
    Fault(
        "everyone rebuilds",
        "one rebuild at a time",
        "vote/services/cache.py",
        "        if running is not None:\n            return running.result()\n",
        "",
        (f"{CACHE}::test_however_many_ask_one_rebuilds",),
    ),
    Fault(
        "drafts are kept",
        "only what everybody may see is kept",
        "vote/services/competition_cache.py",
        'frozenset(("scheduled", "open", "closing", "closed"))',
        'frozenset(("draft", "scheduled", "open", "closing", "closed"))',
        (f"{PAGES}::test_a_draft_stays_with_those_who_run_it",),
    ),
    Fault(
        "figures that are hidden are kept for all",
        "only what everybody may see is kept",
        "vote/web/pages/competitions.py",
        "        may_see = policy.can_see_results(person, competition, has_voted=mine.has_voted)\n",
        "        may_see = True\n",
        (f"{PAGES}::test_hidden_results_are_for_nobody_else",),
    ),
    Fault(
        "rules of a copy decide about figures",
        "who may see figures is decided by the rules of now",
        "vote/web/pages/competitions.py",
        "        competition = policy.check_see(person, competitions.find(tx, competition.id))\n",
        "",
        (f"{PAGES}::test_rules_are_asked_with_the_figures",),
    ),
    Fault(
        "receipt keys are kept",
        "no copy holds a secret",
        "vote/services/competition_cache.py",
        "    return replace(competition, receipt_key=NO_KEY)\n",
        "    return replace(competition, receipt_key=competition.receipt_key.hex().encode())\n",
        (f"{PAGES}::test_no_copy_holds_a_secret",),
    ),
    Fault(
        "a frozen Redis is asked every time",
        "without the cache the database is asked and nobody waits",
        "vote/services/best_effort_redis.py",
        "            self._breaker.failed()\n",
        "            pass\n",
        (f"{CACHE}::test_without_redis_the_database_is_asked_and_nobody_waits",),
    ),
)
