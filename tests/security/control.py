"""What a control is: a tool that is first shown a hole, and then us. A tool that misses the hole is blind, not clean."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from tests.security.tools import CannotLook


class Control(Protocol):
    """One kind of weakness, and the tool that looks for it."""

    name: str
    tool: str  # the distribution whose version stands in the report

    def planted(self) -> list[str]:
        """What the tool finds in the hole made for it. Nothing means that it is blind."""

    def ours(self) -> list[str]:
        """What it finds in vote-app."""


class Verdict(NamedTuple):
    """What came of one control: `clean`, `findings`, `blind`, or `not run` because the tool could not look."""

    name: str
    word: str
    lines: list[str]

    @property
    def is_clean(self) -> bool:
        """Whether it looked, can see, and found nothing."""
        return self.word == "clean"


def judge(control: Control) -> Verdict:
    """Show it the hole, then us."""
    try:
        if not control.planted():
            return Verdict(control.name, "blind", ["did not find the hole that was planted for it"])
        found = control.ours()
    except CannotLook as error:
        return Verdict(control.name, "not run", [str(error)])
    return Verdict(control.name, "findings" if found else "clean", found)


Controls = Mapping[str, Callable[[], Control]]
