"""The figures of a stage: requests that were sent in it, those that failed, and how long ballots took."""

from vote.ops.load.client import HttpAnswer
from vote.ops.load.measurements import ACCEPTED, Histogram


class Stage:
    """A stretch of the load between two steps. A request belongs to the stage in which it was sent."""

    def __init__(self) -> None:
        self.name = "the end of the load"  # until it gets another
        self.steps_s = 0.0
        self.late_s = 0.0  # the most by which the load itself missed a due time: then the machine was busy
        self.sent = self.answered = self.votes = 0
        self.failed: list[str] = []
        self._latency = Histogram()

    def note_vote(self, answer: HttpAnswer, seconds: float, what: str) -> None:
        """Count the answer to a ballot; `seconds` since it was due."""
        self.votes += 1
        self._latency.add(seconds)
        self._note(answer, answer.status in ACCEPTED, what)

    def note(self, answer: HttpAnswer, expected: int, what: str) -> None:
        """Count the answer to another request."""
        self._note(answer, answer.status == expected, what)

    @property
    def is_answered(self) -> bool:
        """Whether every request has its answer."""
        return self.answered == self.sent

    @property
    def figures(self) -> dict[str, float]:
        """What goes into the record."""
        counts = {"requests": self.answered, "votes": self.votes, "failed": len(self.failed)}
        return {
            "steps_s": round(self.steps_s, 1),
            **counts,
            "p99_ms": round(self._latency.percentile_ms(0.99), 1),
            "late_ms": round(self.late_s * 1000, 1),
        }

    def check(self) -> None:
        """Fail unless every request was answered as it should be."""
        late = (
            f"{self.late_s * 1000:,.0f} ms late at most (a second and more: the machine was busy with something else)"
        )
        assert not self.failed, (
            f"{self.name}: {len(self.failed)} requests failed, the load was {late}: {self.failed[:5]}"
        )

    def _note(self, answer: HttpAnswer, is_right: bool, what: str) -> None:
        self.answered += 1
        if not is_right:
            self.failed.append(f"{what}: {answer.status} {answer.body[:300]!r}")
