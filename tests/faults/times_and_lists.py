"""Faults of times that are typed, of lists that end, and of what is sent back as it was; the form is that of `fault.py`."""

from tests.faults.fault import Fault

SENT_BACK = "tests/integration/web/test_sent_back_unchanged.py"
TYPED = "tests/unit/web/test_typed_times.py"
TIME_FAULTS = (
    Fault(
        "a time nobody touched is written anew",
        "a time that is shown and sent back unchanged does not change",
        "vote/web/desk_form.py",
        "and name not in fixed and not typed.is_untouched(name)]",
        "and name not in fixed]",
        (
            f"{SENT_BACK}::test_a_form_of_the_desk_that_nobody_touched",
            f"{SENT_BACK}::test_another_field_that_changes_leaves_the_times",
        ),
    ),
    Fault(
        "the script does not say what it showed",
        "a time that is shown and sent back unchanged does not change",
        "vote/web/static/js/desk.js",
        "    if (shown && input.value) shown.value",
        "    if (false) shown.value",
        ("tests/browser/test_desk.py::test_who_mends_a_word_does_not_move_the_closing_time",),
    ),
    Fault(
        "of two times the first is taken",
        "hours that exist twice are told apart",
        "vote/web/typed_times.py",
        "    if len(found) == 1:\n",
        "    if found:\n",
        (f"{SENT_BACK}::test_a_time_that_comes_twice_is_asked_about",),
    ),
    Fault(
        "a time that never comes is moved in silence",
        "hours that do not exist are refused with a sentence",
        "vote/web/typed_times.py",
        "return sorted(one for one in found if one.astimezone(zone).replace(tzinfo=None) == wall)",
        "return sorted(found)[:1]",
        (f"{SENT_BACK}::test_a_time_that_never_comes_is_refused_with_the_next_one",),
    ),
    Fault(
        "a zone is looked at where no time is given",
        "the zone matters where a time is given",
        "vote/web/typed_times.py",
        "    if not text:\n        return None\n",
        "    zone_of(zone_name)\n    if not text:\n        return None\n",
        (f"{SENT_BACK}::test_a_zone_matters_where_a_time_is_given",),
    ),
    Fault(
        "what was sent as it is makes a new revision",
        "what is read and sent back changes nothing",
        "vote/actions/competitions.py",
        "if _differs(before, name, value)}",
        "if name}",
        (f"{SENT_BACK}::test_what_the_api_tells", f"{SENT_BACK}::test_a_competition_whose_times_have_passed"),
    ),
)
