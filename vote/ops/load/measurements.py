"""What a load came to: the answer of every vote, and how long each took, from the time it was due.

Measured from the due time, a stall of the service costs every vote that was due meanwhile what it would have cost a person:
coordinated omission does not arise (wrk2, https://github.com/giltene/wrk2#readme). The time from the actual sending is
kept beside it, so that both can be compared.
"""

from array import array
from collections import Counter
from dataclasses import dataclass, field

from vote.ops.load.histogram import Histogram
from vote.ops.load.plan import Plan

ACCEPTED = (200, 202)
NO_ANSWER = 0
WAITING = -1
SLICES = 60  # of the run, for the plot of its course


@dataclass(slots=True)
class Slice:
    """Votes that were due in one part of the run."""

    latency: Histogram = field(default_factory=Histogram)
    failed: int = 0


class Measured:
    """Fills while votes are answered. `statuses` has the status of each vote, NO_ANSWER or WAITING."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.statuses = array("h", [WAITING]) * plan.votes
        self.latency = Histogram()  # from the time due, which is what counts
        self.service = Histogram()  # from the time sent, which hides what waited
        self.slices = [Slice() for _ in range(SLICES)]
        self.answered = 0
        self.sent_again = 0
        self.late_s = 0.0  # by which the generator itself missed a due time at most
        self.cpu_s = 0.0
        self.took_s = 0.0

    def note(self, vote: int, status: int, *, due: float, sent: float, now: float) -> None:
        """Take in the answer to a vote. Only accepted votes and those without answer have a latency: a quick refusal is no
        quick vote.
        """
        self.statuses[vote] = status
        self.answered += 1
        part = self.slices[vote * SLICES // self.plan.votes]
        if status in ACCEPTED or status == NO_ANSWER:
            self.latency.add(now - due)
            self.service.add(now - sent)
            part.latency.add(now - due)
        part.failed += status not in ACCEPTED

    def by_status(self) -> dict[int, int]:
        """How often each status was given."""
        return dict(sorted(Counter(self.statuses).items()))

    @property
    def accepted(self) -> int:
        """Votes that were acknowledged."""
        return sum(count for status, count in self.by_status().items() if status in ACCEPTED)

    @property
    def failed(self) -> int:
        """Votes that were not."""
        return self.plan.votes - self.accepted

    @property
    def per_second(self) -> float:
        """Acknowledged votes a second, from the first sending to the last answer."""
        return self.accepted / self.took_s if self.took_s else 0.0
