"""Lines reach the store: many at once, long ones, those that are no JSON, from both kinds of file and across a rotation."""

import itertools
import time
from collections.abc import Callable

import pytest

from tests.deploy.shipping.lines import PIECE, Verdict, judge, line
from tests.deploy.shipping.site import Site
from tests.stack import wait_until

AT_ONCE = {"web": 40_000, "worker": 10_000}
FINE = Verdict(lost=0, doubled=0, broken=0, out_of_order=0)
LONGEST = 64 * 1024
KEPT_BYTES = 3 * 1024 * 1024  # of lines that were sent: two files of 1 MiB and a batch


def test_fifty_thousand_lines_at_once_arrive_whole_and_in_order(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    texts = {part: [line(number, part) for number in range(count)] for part, count in AT_ONCE.items()}
    site.start()

    began = time.monotonic()
    for part, lines in texts.items():
        site.container(part).write(lines)
    stored = site.wait_for(sum(AT_ONCE.values()))
    seconds = time.monotonic() - began

    record_property("lines_a_second", round(len(stored) / seconds))
    record_property("shipper_cpu_s", round(site.shipper.cpu_s(), 1))
    record_property("store_cpu_s", round(site.store.cpu_s(), 1))
    assert judge(((part, number) for part, count in AT_ONCE.items() for number in range(count)), stored) == FINE
    assert set(stored) == set(itertools.chain(*texts.values()))
    assert sum(path.stat().st_size for path in (site.folder / "host").glob("sent*")) < KEPT_BYTES


def long_line(length: int) -> str:
    """Return a line of exactly this length. Where Docker cuts it first, it looks as if it ended there."""
    trap = "\\\\n"  # in JSON a backslash and an n: with Docker's escapes the end of a piece looks like a line feed
    before = '{"part": "web", "pad": "'
    before += "x" * (PIECE - len(before) - len(trap)) + trap
    whole = before + "y" * (length - len(before) - 2) + '"}'
    assert len(whole) == length
    return whole


@pytest.mark.parametrize("length", [PIECE + 2, PIECE * 2, LONGEST])
def test_a_long_line_arrives_whole(site: Site, length: int) -> None:
    site.start()

    site.container("web").write([line(1), long_line(length), line(2)])
    (site.files / "up.log").write_text(long_line(length).replace("web", "row") + "\n", "utf-8")

    stored = site.wait_for(4)
    assert {*stored} == {line(1), long_line(length), line(2), long_line(length).replace("web", "row")}


def test_a_new_file_is_read_from_its_beginning_though_an_old_one_had_its_inode(site: Site) -> None:
    first, second = site.files / "first.log", site.files / "second.log"
    site.start()
    first.write_text('{"part": "first"}\n', "utf-8")
    site.wait_for(1)
    (state,) = (site.folder / "host").glob(f"imfile-state:{first.stat().st_ino}*")
    site.shipper.stop()

    first.unlink()
    second.write_text('{"part": "second"}\n', "utf-8")
    state.rename(state.with_name(f"imfile-state:{second.stat().st_ino}"))  # as if the file system had used it again
    site.shipper.start()

    assert set(site.wait_for(2)) == {'{"part": "first"}', '{"part": "second"}'}


def test_lines_of_vote_up_arrive(site: Site) -> None:
    texts = [line(number) for number in range(1000)]
    site.start()

    (site.files / "up.log").write_text("".join(f"{text}\n" for text in texts), "utf-8")

    assert site.wait_for(len(texts)) == texts


def test_a_line_that_is_no_json_is_kept_too(site: Site) -> None:
    texts = [
        "FATAL:\tthe database \u201cvote\u201d is away",
        '{"part": "web"',
        "17",
        "  leading spaces; $HOME %msg% #011",
    ]
    site.start()

    site.container("db0123456789abcdef").write([texts[0], line(1), *texts[1:], line(2)])

    assert site.wait_for(2) == [line(1), line(2)]
    wait_until(lambda: len(site.others()) == len(texts), what="the other lines")
    assert [one.split(" ", 3)[2:] for one in site.others()] == [["db0123456789", text] for text in texts]


def test_a_line_that_a_container_did_not_finish_is_kept_with_the_next(site: Site) -> None:
    container = site.container("web")
    site.start()

    container.write_unfinished("half a li")
    container.write([line(1), line(2)])

    assert site.wait_for(1) == [line(2)]
    wait_until(lambda: len(site.others()) == 1, what="the line that was not finished")
    assert site.others()[0].endswith("half a li" + line(1))


def test_no_line_is_lost_where_docker_begins_a_new_file(site: Site) -> None:
    texts = [line(number) for number in range(6000)]
    container = site.container("web")
    site.start()

    container.write(texts[:1])
    site.wait_for(1)
    for start in range(0, len(texts), 2000):
        container.write(texts[max(1, start) : start + 2000])
        container.rotate()
        site.wait_for(start + 2000)

    assert site.stored() == texts


def test_no_line_is_lost_where_docker_begins_a_new_file_without_the_shipper(site: Site) -> None:
    container = site.container("web")
    site.start()
    container.write([line(0)])
    site.wait_for(1)

    site.shipper.kill()
    container.write([line(1)])
    container.rotate()
    container.write([line(2)])
    site.shipper.start()

    assert set(site.wait_for(3)) == {line(number) for number in range(3)}
