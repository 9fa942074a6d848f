"""Pages of lists that grow with the years (keyset pagination): ids do not change, so nothing is skipped or repeated."""

from typing import Generic, NamedTuple, Protocol, TypeVar

NEWEST = 2**62  # above every id


class HasId(Protocol):
    """A row that a page can end at."""

    @property
    def id(self) -> int:
        """Return its id."""


Row = TypeVar("Row", bound=HasId)


class Page(NamedTuple, Generic[Row]):
    """A page of a list. `next` is the `after` of the next page; None on the last."""

    rows: list[Row]
    next: int | None


def cut(rows: list[Row], size: int) -> Page[Row]:
    """Return a page of `rows`, which hold at least one more than `size` when others follow."""
    return Page(rows[:size], rows[size - 1].id if len(rows) > size else None)
