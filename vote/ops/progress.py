"""Show the progress of a step that takes longer than two seconds: a bar on a terminal, otherwise a line now and then."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, Self

SHOW_AFTER_S = 2.0
REDRAW_S = 0.2
LINE_EVERY_S = 10.0
WIDTH = 30


def _megabytes(done: int) -> str:
    return f"{done / 1e6:.0f} MB"


class Bar:
    """A progress bar for one step, on standard error. `total` 0: unknown. `describe` formats the amount; default: MB."""

    def __init__(
        self,
        label: str,
        total: int,
        *,
        describe: Callable[[int], str] = _megabytes,
        quiet: bool = False,
        out: IO[str] | None = None,
    ) -> None:
        self._label, self._total, self._describe, self._quiet = label, total, describe, quiet
        self._out = out or sys.stderr
        self._done, self._began = 0, time.monotonic()
        self._next = self._began + SHOW_AFTER_S
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def add(self, amount: int) -> None:
        """Add to the amount done."""
        self._done += amount
        now = time.monotonic()
        if not self._quiet and now >= self._next:
            self._next = now + (REDRAW_S if self._out.isatty() else LINE_EVERY_S)
            self._show()

    def reach(self, amount: int) -> None:
        """Set the total amount done."""
        self.add(amount - self._done)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown and self._out.isatty():
            self._out.write("\n")

    def _show(self) -> None:
        self._shown = True
        share = min(self._done / self._total, 1) if self._total else None
        text = f"{self._label}: {self._describe(self._done)}" + ("" if share is None else f", {share:.0%}")
        if self._out.isatty():
            bar = "" if share is None else " [" + "#" * int(share * WIDTH) + "." * (WIDTH - int(share * WIDTH)) + "]"
            self._out.write(f"\r\033[K{text}{bar}")
        else:
            self._out.write(text + "\n")
        self._out.flush()
