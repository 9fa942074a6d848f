"""How long to wait before a part that died is started again. Pure: the clock is the caller's."""

FIRST_S = 0.2
LONGEST_S = 5.0
HEALTHY_S = 10.0


class Backoff:
    """At once, then after 0.2 s doubling to 5 s; a life of 10 s makes it forget."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def delay_s(self, alive_s: float) -> float:
        """Seconds to wait after a life of `alive_s` seconds has ended."""
        delay_s = 0.0 if alive_s >= HEALTHY_S else self._next_s
        self._next_s = min(max(delay_s * 2, FIRST_S), LONGEST_S)
        return delay_s
