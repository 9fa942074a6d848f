from vote.ops.restart_backoff import RestartBackoff


def test_a_part_is_started_at_once_then_later_and_later_up_to_five_seconds() -> None:
    backoff = RestartBackoff()

    delays = [backoff.delay_s(alive_s=0) for _ in range(8)]

    assert delays == [0, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]


def test_ten_seconds_of_life_are_forgiven() -> None:
    backoff = RestartBackoff()
    for _ in range(5):
        backoff.delay_s(alive_s=0)

    assert backoff.delay_s(alive_s=9.9) == 3.2
    assert backoff.delay_s(alive_s=10) == 0
    assert backoff.delay_s(alive_s=0) == 0.2
