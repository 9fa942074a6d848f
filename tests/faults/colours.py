"""Faults of what is seen where colours are the reader's own, and on paper; the form is that of `fault.py`."""

from tests.faults.fault import Fault

FORCED = "tests/browser/test_forced_colours.py"
CSS = "vote/web/static/vote.css"
COLOUR_FAULTS = (
    Fault(
        "a bar cannot be told from its track in high contrast",
        "WCAG 2.2 SC 1.4.11: 3:1 for graphical objects",
        CSS,
        "  .bar .whole {\n    fill: Canvas;\n",
        "  .bar .whole {\n    fill: GrayText;\n",
        (f"{FORCED}::test_a_bar_is_told_from_its_track_in_forced_colours",),
    ),
    Fault(
        "a bar has no track on paper",
        "bars can be read on paper",
        CSS,
        "  .bar {\n    border: 1px solid #1b1a1f;\n  }\n",
        "",
        (f"{FORCED}::test_a_bar_is_told_from_its_track_on_paper",),
    ),
    Fault(
        "all states look alike in high contrast",
        "the sign of a state keeps its shape",
        CSS,
        "    background: linear-gradient(90deg, CanvasText 50%, Canvas 50%);\n",
        "    background: Canvas;\n",
        (f"{FORCED}::test_the_signs_of_states_keep_their_shapes",),
    ),
    Fault(
        "forms are printed",
        "paper has neither navigation nor forms",
        CSS,
        "  form:not(.cast), /*",
        "  .nowhere, /*",
        (f"{FORCED}::test_paper_has_neither_navigation_nor_forms",),
    ),
)
