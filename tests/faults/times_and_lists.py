"""Faults of times that are typed, of lists that end, and of what is sent back as it was; the form is that of `fault.py`."""

from tests.faults.fault import Fault

SENT_BACK = "tests/integration/web/dashboard/test_time_fields.py"
TYPED = "tests/unit/web/dashboard/test_time_fields.py"
LONG = "tests/integration/web/test_long_lists.py"
LIST_FAULTS = (
    Fault(
        "an open vote is cut off by newer ones",
        "open and coming competitions are never cut off",
        "vote/db/competition_lists.py",
        "WHERE c.status IN ('scheduled', 'open', 'closing')\")",
        "WHERE c.status IN ('scheduled', 'open', 'closing') ORDER BY c.id DESC LIMIT 500\")",
        (f"{LONG}::test_everybody_finds_all_of_1500",),
    ),
    Fault(
        "a draft is cut off by newer ones",
        "what somebody runs is never cut off",
        "vote/db/competition_lists.py",
        "fetch_all(tx, _LIVE + _OF_ORGANISER, ",
        "fetch_all(tx, _LIVE + _OF_ORGANISER + ' LIMIT 500', ",
        (f"{LONG}::test_an_organiser_and_an_admin_find_all_of_1500",),
    ),
    Fault(
        "a list ends without a word",
        "what is over comes in pages with `next`",
        "vote/db/competition_lists.py",
        "    page, following = cut(over, PAGE_SIZE)",
        "    page, following = over[:PAGE_SIZE], None",
        (f"{LONG}::test_everybody_finds_all_of_1500",),
    ),
    Fault(
        "each page leaves one out",
        "pages hold everything once",
        "vote/db/paging.py",
        "rows[size - 1].id if",
        "rows[size].id if",
        (f"{LONG}::test_everybody_finds_all_of_1500",),
    ),
    Fault(
        "the page has no way to older competitions",
        "what is over comes in pages, on the page too",
        "vote/web/pages/competitions.py",
        "        next=following,\n",
        "        next=None,\n",
        (f"{LONG}::test_people_find_all_of_1500_on_the_pages",),
    ),
    Fault(
        "a gap that waits is cut off by newer ones",
        "what waits for a decision is never cut off",
        "vote/db/gaps.py",
        'WHERE g.decided_at IS NULL {_NEWEST_FIRST}")',
        'WHERE g.decided_at IS NULL {_NEWEST_FIRST} LIMIT 200")',
        (f"{LONG}::test_no_gap_that_waits_for_a_decision_is_cut_off",),
    ),
    Fault(
        "old deeds are out of reach",
        "lists that end say so",
        "vote/db/paging.py",
        "rows[size - 1].id if len(rows) > size else None",
        "None",
        (f"{LONG}::test_what_was_done_long_ago_can_be_turned_to",),
    ),
)
TIME_FAULTS = (
    Fault(
        "a time nobody touched is written anew",
        "a time that is shown and sent back unchanged does not change",
        "vote/web/dashboard/competition_form.py",
        "and name not in fixed and not typed.is_untouched(name)]",
        "and name not in fixed]",
        (
            f"{SENT_BACK}::test_a_form_of_the_dashboard_that_nobody_touched",
            f"{SENT_BACK}::test_another_field_that_changes_leaves_the_times",
        ),
    ),
    Fault(
        "the script does not say what it showed",
        "a time that is shown and sent back unchanged does not change",
        "vote/web/static/js/dashboard.js",
        "    if (shown && input.value) shown.value",
        "    if (false) shown.value",
        ("tests/browser/test_dashboard.py::test_who_mends_a_word_does_not_move_the_closing_time",),
    ),
    Fault(
        "of two times the first is taken",
        "hours that exist twice are told apart",
        "vote/web/dashboard/time_fields.py",
        "    if len(found) == 1:\n",
        "    if found:\n",
        (f"{SENT_BACK}::test_a_time_that_comes_twice_is_asked_about",),
    ),
    Fault(
        "a time that never comes is moved in silence",
        "hours that do not exist are refused with a sentence",
        "vote/web/dashboard/time_fields.py",
        "return sorted(one for one in found if one.astimezone(zone).replace(tzinfo=None) == wall)",
        "return sorted(found)[:1]",
        (f"{SENT_BACK}::test_a_time_that_never_comes_is_refused_with_the_next_one",),
    ),
    Fault(
        "a zone is looked at where no time is given",
        "the zone matters where a time is given",
        "vote/web/dashboard/time_fields.py",
        "    if not text:\n        return None\n",
        "    zone_of(zone_name)\n    if not text:\n        return None\n",
        ("tests/integration/web/dashboard/test_time_zones.py::test_a_zone_matters_where_a_time_is_given",),
    ),
    Fault(
        "what was sent as it is makes a new revision",
        "what is read and sent back changes nothing",
        "vote/actions/competition_changes.py",
        'if (list(value) != labels if name == "options" else value != getattr(before, name))',
        "if name",
        (f"{SENT_BACK}::test_what_the_api_tells", f"{SENT_BACK}::test_a_competition_whose_times_have_passed"),
    ),
)
