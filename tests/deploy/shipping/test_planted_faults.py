"""A proof can fail: each fault in the shipped files is seen by what the other tests look at."""

from pathlib import Path

import pytest

from tests.deploy.shipping.lines import PIECE, judge, line
from tests.deploy.shipping.site import Site, certificates
from tests.stack import wait_until

COUNT = 2000
QUEUE = 'queue.type="Disk" queue.filename="lines" queue.checkpointInterval="1"'
IN_MEMORY = 'queue.type="LinkedList"'
JOINS = 'endmsg.regex="[^\\\\\\\\](\\\\\\\\\\\\\\\\)*\\\\\\\\n\\",\\"stream\\":" escapeLF.replacement=","'


def lost_in_an_outage(site: Site) -> int:
    """Write while the store is away, kill the shipper once it has read all, start both; return how many lines are lost."""
    container = site.container("web")
    site.shipper.start()
    container.write(line(number) for number in range(COUNT))
    states = site.folder / "host"
    wait_until(lambda: is_read(states, site.containers), within=60, what="the shipper has read all")
    site.shipper.kill()
    site.start()
    container.write([line(COUNT)])
    wait_until(lambda: line(COUNT) in site.stored(), within=60, what="lines arrive")
    return judge((("web", number) for number in range(COUNT + 1)), site.stored()).lost


def is_read(states: Path, containers: Path) -> bool:
    """Return whether the noted place in the container's file is its end."""
    (path,) = containers.glob("*/*-json.log")
    noted = f'"curr_offs": {path.stat().st_size},'
    return any(noted in state.read_text("utf-8") for state in states.glob("imfile-state*"))


def test_without_a_fault_nothing_is_lost(site: Site) -> None:
    assert lost_in_an_outage(site) == 0


def test_a_shipper_without_a_queue_on_disk_loses_lines(tmp_path: Path) -> None:
    with Site(tmp_path / "site", shipper={QUEUE: IN_MEMORY}) as site:
        assert lost_in_an_outage(site) > 0


def test_a_store_that_confirms_what_it_has_not_written_loses_lines(tmp_path: Path) -> None:
    action = 'dynaFile="lines" template="line"'
    with Site(tmp_path / "site", store={action: f'{action} flushOnTXEnd="off" ioBufferSize="256k"'}) as site:
        site.start()
        site.container("web").write(line(number) for number in range(COUNT))
        wait_until(lambda: len(site.stored()) > COUNT / 4, what="lines arrive")
        site.store.kill()
        site.start_store()
        site.container("worker").write(line(number, "worker") for number in range(COUNT))
        wait_until(lambda: any('"worker"' in text for text in site.stored()), what="later lines arrive")

        assert judge((("web", number) for number in range(COUNT)), site.stored()).lost > COUNT / 1000


FAULTS_OF_THE_STORE = {
    "the header is not cut off": {'string="%msg%\\n"': 'string="%rawmsg%\\n"'},
    "lines are kept up to 8 k alone": {'maxMessageSize="256k" ': "", ' maxDataSize="256k"': ""},
}


@pytest.mark.parametrize("fault", FAULTS_OF_THE_STORE)
def test_a_fault_of_the_store_breaks_lines(tmp_path: Path, fault: str) -> None:
    with Site(tmp_path / "site", store=FAULTS_OF_THE_STORE[fault]) as site:
        assert broken(site)


FAULTS_OF_THE_SHIPPER = {
    "what Docker cut is not joined": {JOINS: ""},
    "lines are read up to 8 k alone": {'maxMessageSize="256k" ': ""},
}


@pytest.mark.parametrize("fault", FAULTS_OF_THE_SHIPPER)
def test_a_fault_of_the_shipper_breaks_lines(tmp_path: Path, fault: str) -> None:
    with Site(tmp_path / "site", shipper=FAULTS_OF_THE_SHIPPER[fault]) as site:
        assert broken(site)


def broken(site: Site) -> bool:
    """Return whether a long line between two short ones does not arrive as it is."""
    long_one = f'{{"part": "web", "pad": "{"x" * PIECE}"}}'
    site.start()
    site.container("web").write([line(1), long_one, line(2)])
    wait_until(lambda: any(f"{2:032x}" in text for text in [*site.stored(), *site.others()]), what="the last line")
    return {*site.stored()} != {line(1), long_one, line(2)}


def test_a_store_that_takes_any_name_is_seen(tmp_path: Path) -> None:
    names = 'tls.authMode="name" tls.permittedPeer=["vote-1.example.org"]'
    with Site(tmp_path / "site", store={names: 'tls.authMode="certvalid"'}) as site:
        certificates(site.keys, "vote-2.example.org")
        other = site.shipper_like("stranger", {}, "vote-2.example.org", site.keys)
        site.start_store()
        site.container("web").write([line(1)])
        other.start()
        try:
            assert site.wait_for(1, within=60) == [line(1)]
        finally:
            other.kill()
