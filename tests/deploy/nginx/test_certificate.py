"""`deploy/nginx/certificate` with real certbot and a real ACME authority: issued, renewed, read by a running nginx."""

import time
from collections.abc import Callable

import pytest

from tests.deploy.nginx.acme import Acme
from tests.deploy.nginx.certificate_host import EMAIL, NAME, Host, host_of
from tests.deploy.nginx.clients import open_socket
from tests.deploy.nginx.site import Fault
from tests.stack import wait_until

Record = Callable[[str, object], None]


def issued_renewed_and_read(host: Host, record: Record = lambda _name, _value: None) -> None:
    """The first one before nginx runs, the next through it, read by a reload that no open socket notices."""
    began = time.monotonic()
    assert f"{NAME} has a certificate" in host.must("issue", NAME, EMAIL)
    record("issued_s", round(time.monotonic() - began, 1))
    assert host.linked == f"live/{NAME}"
    host.site.start()
    first = host.serial()

    with open_socket(host.client) as socket:
        assert b" 101 " in socket.answer
        assert "Nothing was changed" in host.must("issue", NAME, EMAIL)
        host.must("renew")  # not due yet
        assert host.serial() == first

        began, workers = time.monotonic(), {worker.pid for worker in host.site.workers()}
        host.must("renew", "--force")
        wait_until(lambda: host.serial() != first, what="nginx shows the new certificate", within=5)
        record("renewed_and_read_s", round(time.monotonic() - began, 1))
        host.site.wait_for_reload(workers)
        assert socket.is_alive(b"after the reload")


def a_fault_elsewhere_keeps_the_old_one(host: Host) -> None:
    """nginx never reloads what does not pass its test; the script says so, and mends itself once the fault is gone."""
    host.must("issue", NAME, EMAIL)
    host.site.start()
    first, line = host.serial(), host.site.web_file(1)
    text = line.read_text("utf-8")
    line.write_text("serve r;\n", "utf-8")

    done = host.certificate("renew", "--force")

    assert done.returncode == 1
    assert "nginx was not reloaded and goes on as it was" in done.stdout + done.stderr
    assert "serve" in done.stdout + done.stderr
    assert host.serial() == first
    assert host.client.get("/").status == 200

    line.write_text(text, "utf-8")
    host.must("renew")  # nothing is due: the reload is
    wait_until(lambda: host.serial() != first, what="nginx shows the new certificate", within=5)


def test_issued_renewed_and_read(host: Host, record_property: Record) -> None:
    issued_renewed_and_read(host, record_property)


def test_a_fault_elsewhere_keeps_the_old_one(host: Host) -> None:
    a_fault_elsewhere_keeps_the_old_one(host)


FAULTS = {
    "no hook": (Fault("certificate", "--deploy-hook \"'$0' renewed\"", ""), issued_renewed_and_read),
    "the hook only tests": (
        Fault("certificate", 'nginx -s reload -c "$nginx_conf" ||', "true ||"),
        issued_renewed_and_read,
    ),
    "reload by a restart": (
        Fault("certificate", 'nginx -s reload -c "$nginx_conf" ||', 'nginx -s stop -c "$nginx_conf" ||'),
        issued_renewed_and_read,
    ),
    "the hook does not test": (
        Fault("certificate", 'nginx -t -q -c "$nginx_conf" ||', "true ||"),
        a_fault_elsewhere_keeps_the_old_one,
    ),
    "a failed reload is forgotten": (
        Fault("certificate", ': >"$dir/reload-needed"', ":"),
        a_fault_elsewhere_keeps_the_old_one,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(authority_of_names: Acme, name: str) -> None:
    fault, check = FAULTS[name]
    with host_of(authority_of_names, fault) as host, pytest.raises((AssertionError, OSError)):
        check(host)
