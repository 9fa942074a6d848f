"""The circuit breaker, by a clock that the test sets."""

from vote.circuit_breaker import PROBE_EVERY_S, CircuitBreaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_everybody_may_try_while_the_store_answers() -> None:
    breaker = CircuitBreaker(Clock())

    assert all(breaker.allows_call() for _ in range(10))


def test_one_caller_at_a_time_finds_out_whether_it_is_back() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    breaker.failed()

    assert [breaker.allows_call() for _ in range(3)] == [False, False, False]
    clock.now += PROBE_EVERY_S
    assert [breaker.allows_call() for _ in range(3)] == [True, False, False]
    assert breaker.is_open


def test_one_success_lets_everybody_in_again() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    breaker.failed()
    clock.now += PROBE_EVERY_S
    breaker.allows_call()
    breaker.succeeded()

    assert all(breaker.allows_call() for _ in range(3))
    assert not breaker.is_open
