"""The WebSocket messages for watchers: their kinds, content, and bytes on the wire."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from websockets.frames import Frame, Opcode

from vote.domain.competition import Competition
from vote.domain.page_state import page_state
from vote.domain.tally import Tally

# figures: the tally's snapshot. state: what a page knows (`domain/page_state.py`), without figures. page: both.
Kind = Literal["figures", "state", "page"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class SnapshotMessage:
    """A message as text and as `frame`, its bytes on the wire (RFC 6455), shared by all watchers.

    `committed_at`: when the oldest vote in it that no message before had was committed (monotonic time); None: unknown.
    """

    competition: int
    version: int
    text: str
    kind: Kind = "figures"
    committed_at: float | None = field(default=None, compare=False)
    frame: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", Frame(Opcode.TEXT, self.text.encode()).serialize(mask=False))


@dataclass(frozen=True, slots=True)
class CompetitionView:
    """A competition as watchers see it: its rules, never older than its figures, and one message of each kind, ready to
    send.
    """

    competition: Competition
    figures: SnapshotMessage
    state: SnapshotMessage
    page: SnapshotMessage

    def of_kind(self, kind: Kind) -> SnapshotMessage:
        """Return the message of this kind."""
        return self.figures if kind == "figures" else self.state if kind == "state" else self.page


def view_of(tally: Tally, rules: Competition, committed_at: float | None = None) -> CompetitionView:
    """Return the watchers' view of a competition with this tally, whose newest votes were committed at `committed_at`."""
    # The state is the tally's: visibility is judged by the state in which the votes were counted.
    competition = replace(rules, state=tally.state)
    number, snapshot, known = tally.competition, tally.snapshot(), page_state(competition)
    return CompetitionView(
        competition,
        SnapshotMessage(number, tally.version, _json(snapshot), committed_at=committed_at),
        SnapshotMessage(
            number, known["revision"], _json({"competition": number, "version": known["revision"], **known}), "state"
        ),
        SnapshotMessage(number, tally.version, _json({**snapshot, "page": known}), "page", committed_at),
    )


def _json(message: Mapping[str, object]) -> str:
    return json.dumps(message, separators=(",", ":"))
