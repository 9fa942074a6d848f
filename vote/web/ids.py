"""Ids in addresses: `<id:competition_id>` matches 1 … 2³¹-1 in plain digits; everything else is 404, never an error."""

from werkzeug.routing import BaseConverter

MAX_ID = 2**31 - 1  # PostgreSQL's integer

# Up to MAX_ID. The pattern itself says so: where only `to_python` refuses, Werkzeug has
# already noted that the address exists for other methods, and answers 405 instead of 404.
UP_TO_MAX_ID = (
    "[1-9][0-9]{0,8}|1[0-9]{9}|20[0-9]{8}|21[0-3][0-9]{7}|214[0-6][0-9]{6}|2147[0-3][0-9]{5}|21474[0-7][0-9]{4}"
    "|214748[0-2][0-9]{3}|2147483[0-5][0-9]{2}|21474836[0-3][0-9]|214748364[0-7]"
)


class IdConverter(BaseConverter):
    """The converter, known to routes as `id`."""

    regex = f"(?:{UP_TO_MAX_ID})"

    def to_python(self, value: str) -> int:
        return int(value)
