"""Converts ids in URLs: `<id:competition_id>` matches 1 … MAX_ID in plain digits; anything else is 404, not an error."""

from werkzeug.routing import BaseConverter

from vote.domain.ids import MAX_ID


def pattern_up_to(most: int) -> str:
    """Return a regular expression for the decimal numbers 1 … `most`, without leading zeros.

    The pattern itself has to refuse: if only `to_python` does, Werkzeug has already noted that the URL exists for other
    methods, and answers 405 instead of 404.
    """
    digits = str(most)
    shorter = [f"[1-9][0-9]{{0,{len(digits) - 2}}}"] if len(digits) > 1 else []
    # As long, the same up to a place, and lower there.
    lower = [
        f"{digits[:place]}[{'0' if place else '1'}-{int(digit) - 1}][0-9]{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if int(digit) > (0 if place else 1)
    ]
    return "|".join([*shorter, *lower, digits])


class IdConverter(BaseConverter):
    """The URL converter named `id`."""

    regex = f"(?:{pattern_up_to(MAX_ID)})"

    def to_python(self, value: str) -> int:
        return int(value)
