"""Exponential backoff for restarting a part that died. Pure: the caller measures time."""

FIRST_S = 0.2
LONGEST_S = 5.0
HEALTHY_S = 10.0


class RestartBackoff:
    """A restart policy: at once, then after 0.2 s, doubling to 5 s; a run of 10 s resets it."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def delay_s(self, alive_s: float) -> float:
        """Return the seconds to wait after a run of `alive_s` seconds."""
        delay_s = 0.0 if alive_s >= HEALTHY_S else self._next_s
        self._next_s = min(max(delay_s * 2, FIRST_S), LONGEST_S)
        return delay_s
