"""Ids in addresses: `<id:competition_id>` matches 1 … 2³¹-1 in plain digits; everything else is 404, never an error."""

from werkzeug.routing import BaseConverter, ValidationError

MAX_ID = 2**31 - 1  # PostgreSQL's integer


class IdConverter(BaseConverter):
    """The converter, known to routes as `id`."""

    regex = r"[1-9][0-9]{0,9}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if not value.isascii() or number > MAX_ID:
            raise ValidationError
        return number
