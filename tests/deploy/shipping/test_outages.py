"""What an outage costs: the store away, the shipper killed, the store killed (figures: docs/observability.md)."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.deploy.shipping.lines import Flow, judge, line
from tests.deploy.shipping.site import Site
from tests.stack import wait_until

OUTAGE_S = 60
RATE = 200  # lines a second, all the time
AT_ONCE = 20_000
LIMIT = 0.001  # of the lines: what a store that is killed may have confirmed and not written
KILLS = 5
HELD, BEYOND = 3000, 8000  # lines: what a small queue holds, and more
HELD_BYTES = 1024 * 1024  # of the queue's files when it is nearly full
Note = Callable[[str, object], None]


def numbers(count: int) -> list[tuple[str, int]]:
    """What a container has written."""
    return [("web", number) for number in range(count)]


def test_nothing_is_lost_while_the_store_is_away_and_the_shipper_is_killed(site: Site, record_property: Note) -> None:
    site.start()
    with Flow(site.container("web"), rate=RATE) as flow:
        wait_until(lambda: len(site.stored()) > RATE, what="lines arrive")
        site.store.stop()
        ends = time.monotonic() + OUTAGE_S

        wait_until(lambda: time.monotonic() > ends - OUTAGE_S / 2, within=OUTAGE_S, what="half of the outage")
        before = len(site.stored())
        site.shipper.kill()
        site.shipper.start()
        wait_until(lambda: time.monotonic() > ends, within=OUTAGE_S, what="the outage is over")
        site.start_store()
        wait_until(lambda: len(site.stored()) > before + RATE, within=120, what="lines arrive again")

    stored = site.wait_for(flow.count)
    verdict = judge(numbers(flow.count), stored)
    record_property("written_during_the_outage", flow.count - before)
    record_property("doubled", verdict.doubled)
    assert flow.count > before + OUTAGE_S * RATE / 2
    assert (verdict.lost, verdict.broken) == (0, 0)


def test_nothing_is_lost_when_the_shipper_is_killed_again_and_again(site: Site, record_property: Note) -> None:
    site.start()
    with Flow(site.container("web"), rate=RATE) as flow:
        for _ in range(KILLS):
            before = len(set(site.stored()))
            wait_until(lambda: len(set(site.stored())) > before + RATE, within=120, what="lines arrive")  # noqa: B023
            site.shipper.kill()
            site.shipper.start()

    verdict = judge(numbers(flow.count), site.wait_for(flow.count))
    record_property("doubled", verdict.doubled)
    assert (verdict.lost, verdict.broken) == (0, 0)


def test_nothing_is_lost_when_the_shipper_is_restarted_while_the_store_is_away(site: Site) -> None:
    site.start()
    with Flow(site.container("web"), rate=RATE) as flow:
        wait_until(lambda: len(site.stored()) > RATE, what="lines arrive")
        site.store.stop()
        written = flow.count
        wait_until(lambda: flow.count > written + RATE, what="lines that nobody takes")
        site.shipper.stop()
        site.shipper.start()
        site.start_store()

    verdict = judge(numbers(flow.count), site.wait_for(flow.count))
    assert (verdict.lost, verdict.broken) == (0, 0)


def test_a_shipper_whose_queue_is_full_waits_and_loses_nothing(tmp_path: Path) -> None:
    with Site(tmp_path / "site", shipper={'queue.size="1000000"': f'queue.size="{HELD}"'}) as site:
        container, queue = site.container("web"), site.folder / "host"
        site.shipper.start()
        container.write(line(number) for number in range(BEYOND))
        wait_until(lambda: sum(path.stat().st_size for path in queue.glob("lines.0*")) > HELD_BYTES, what="it is full")

        site.start_store()

        verdict = judge(numbers(BEYOND), site.wait_for(BEYOND))
        assert (verdict.lost, verdict.broken) == (0, 0)


def test_a_store_that_is_killed_loses_next_to_nothing(site: Site, record_property: Note) -> None:
    site.start()

    site.container("web").write(line(number) for number in range(AT_ONCE))
    for kill in range(1, KILLS + 1):
        wait_until(lambda: len(site.stored()) >= AT_ONCE * kill // (KILLS + 2), within=300, what="lines arrive")  # noqa: B023
        site.store.kill()
        site.start_store()

    verdict = judge(numbers(AT_ONCE), site.wait_for(AT_ONCE))
    record_property("lost", verdict.lost)
    record_property("doubled", verdict.doubled)
    assert verdict.lost <= AT_ONCE * LIMIT
    assert verdict.broken <= KILLS  # a line may be half written when the store ends
