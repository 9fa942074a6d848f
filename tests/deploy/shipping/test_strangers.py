"""Both sides know each other: nothing gets in without a certificate of ours, and no line goes to a store of others."""

import socket
from pathlib import Path

from tests.deploy.shipping.lines import judge, line
from tests.deploy.shipping.site import HOST, STORE, Process, Site, certificates
from tests.stack import wait_until

REFUSED = "authentication error"  # what a rsyslogd says of a peer


def stranger(site: Site, keys: Path, holder: str) -> Process:
    """Return a shipper of the same containers that holds another certificate."""
    return site.shipper_like("stranger", {}, holder, keys)


def is_refused(site: Site, other: Process) -> None:
    """Let another shipper try, until the store has refused it twice."""
    output = site.folder / "store" / "output"
    other.start()
    try:
        wait_until(lambda: output.read_text("utf-8").count(REFUSED) >= 2, what="it was refused")
    finally:
        other.kill()


def test_a_certificate_of_another_authority_gets_nothing_in(site: Site) -> None:
    theirs = site.folder / "theirs"
    certificates(theirs, HOST)
    (theirs / "ca.pem").write_bytes((site.keys / "ca.pem").read_bytes())  # it trusts our store
    site.start_store()

    site.container("web").write([line(1)])
    is_refused(site, stranger(site, theirs, HOST))

    assert (site.stored(), site.others()) == ([], [])


def test_a_certificate_of_ours_with_a_name_that_may_not_ship_gets_nothing_in(site: Site) -> None:
    certificates(site.keys, "vote-2.example.org")
    site.start_store()

    site.container("web").write([line(1)])
    is_refused(site, stranger(site, site.keys, "vote-2.example.org"))

    assert (site.stored(), site.others()) == ([], [])


def test_a_client_without_tls_gets_nothing_in(site: Site) -> None:
    site.start()
    offer = b"relp_version=0\nrelp_software=test\ncommands=syslog"
    message = b"<134>1 - - - - - - " + line(1).encode()

    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as plain:
        plain.sendall(b"1 open %d %b\n2 syslog %d %b\n" % (len(offer), offer, len(message), message))
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(4096):
            pass
    site.container("web").write([line(2)])

    assert site.wait_for(1) == [line(2)]


def test_a_store_that_is_not_ours_gets_no_line_and_none_is_lost(site: Site) -> None:
    theirs, ours = site.folder / "theirs", dict[Path, bytes]()
    certificates(theirs, STORE)
    for suffix in ("pem", "key"):
        path = site.keys / f"{STORE}.{suffix}"
        ours[path] = path.read_bytes()
        path.write_bytes((theirs / path.name).read_bytes())
    container = site.container("web")
    site.start()

    container.write(line(number) for number in range(1000))
    output = site.folder / "host" / "output"
    wait_until(lambda: REFUSED in output.read_text("utf-8"), what="the shipper refuses the store")
    assert site.stored() == []
    site.store.stop()
    for path, content in ours.items():
        path.write_bytes(content)
    site.start_store()
    site.shipper.stop()
    site.shipper.start()
    container.write([line(1000)])

    verdict = judge((("web", number) for number in range(1001)), site.wait_for(1001))
    assert (verdict.lost, verdict.broken) == (0, 0)
