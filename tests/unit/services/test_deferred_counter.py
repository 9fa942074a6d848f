"""Who is spared a question, and that nothing is forgotten while it matters."""

from vote.services.deferred_counter import DeferredCounter


def test_the_second_request_counts_the_first_one_too() -> None:
    firsts = DeferredCounter(20)

    assert [firsts.cost("7", 100.0) for _ in range(4)] == [0, 2, 1, 1]
    assert firsts.cost("8", 100.0) == 0


def test_it_is_remembered_into_the_next_span_and_not_for_ever() -> None:
    firsts = DeferredCounter(20)
    assert firsts.cost("7", 100.0) == 0

    assert firsts.cost("8", 121.0) == 0  # the next span has begun
    assert firsts.cost("7", 130.0) == 2
    assert firsts.cost("7", 145.0) == 1
    assert firsts.cost("7", 300.0) == 0  # long ago: whatever it was has drained


def test_somebody_who_goes_on_is_never_first_again() -> None:
    firsts = DeferredCounter(20)

    counted = [firsts.cost("7", float(second)) for second in range(200)]

    assert sum(counted) == 200
