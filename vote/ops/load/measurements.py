"""Record every vote's answer and its latency, counted from the time it was due.

Counted so, a stall of the service costs every vote due meanwhile what it would cost a person: there is no coordinated
omission (wrk2, https://github.com/giltene/wrk2#readme). The time from actual sending is recorded too, for comparison.
"""

from array import array
from collections import Counter
from dataclasses import dataclass, field

from vote.ops.load.histogram import Histogram
from vote.ops.load.plan import Plan

ACCEPTED = (200, 202)
NO_ANSWER = 0
WAITING = -1
SLICES = 60  # time slices of the run, for the plot over time


@dataclass(slots=True)
class Slice:
    """The votes that were due in one time slice of the run."""

    latency: Histogram = field(default_factory=Histogram)
    failed: int = 0


class Measured:
    """The measurements, filled as votes are answered. `statuses` holds each vote's status, NO_ANSWER or WAITING."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.statuses = array("h", [WAITING]) * plan.votes
        self.latency = Histogram()  # from the due time; the limits apply to this
        self.service = Histogram()  # from the time of sending, which hides queueing
        self.slices = [Slice() for _ in range(SLICES)]
        self.answered = 0
        self.sent_again = 0
        self.late_s = 0.0  # the most by which the generator itself missed a due time
        self.cpu_s = 0.0
        self.took_s = 0.0

    def note(self, vote: int, status: int, *, due: float, sent: float, now: float) -> None:
        """Record the answer to a vote. Only accepted and unanswered votes have a latency: a fast refusal is no fast vote."""
        self.statuses[vote] = status
        self.answered += 1
        part = self.slices[vote * SLICES // self.plan.votes]
        if status in ACCEPTED or status == NO_ANSWER:
            self.latency.add(now - due)
            self.service.add(now - sent)
            part.latency.add(now - due)
        part.failed += status not in ACCEPTED

    def by_status(self) -> dict[int, int]:
        """Return how often each status was given."""
        return dict(sorted(Counter(self.statuses).items()))

    @property
    def accepted(self) -> int:
        """Return the number of acknowledged votes."""
        return sum(count for status, count in self.by_status().items() if status in ACCEPTED)

    @property
    def failed(self) -> int:
        """Return the number of votes not acknowledged."""
        return self.plan.votes - self.accepted

    @property
    def per_second(self) -> float:
        """Return acknowledged votes per second, from the first sending to the last answer."""
        return self.accepted / self.took_s if self.took_s else 0.0
