"""How `deploy/nginx/certificate` answers its operator: self-signed ones, refusals, the other container, the timer."""

import contextlib
import os
import shutil
import signal
import subprocess

import psutil
import pytest

from tests.deploy.nginx.certificate_host import EMAIL, NAME, Host
from tests.stack import wait_until


def test_a_self_signed_one_is_followed_by_a_real_one(host: Host) -> None:
    assert "Browsers warn" in host.must("self-signed", NAME)
    host.site.start()
    with pytest.raises(OSError, match="self-signed"):
        host.serial()
    assert "Nothing was changed" in host.must("self-signed", NAME)
    before = (host.site.certificates / "current/fullchain.pem").read_bytes()
    host.must("renew")
    assert (host.site.certificates / "current/fullchain.pem").read_bytes() == before
    host.must("renew", "--force")
    assert (host.site.certificates / "current/fullchain.pem").read_bytes() != before

    host.must("issue", NAME, EMAIL)  # through the running nginx

    wait_until(lambda: _is_trusted(host), what="nginx shows the real certificate", within=5)
    refused = host.certificate("self-signed", NAME)
    assert refused.returncode == 1
    assert "Nothing was changed" in refused.stderr
    assert host.linked == f"live/{NAME}"


def _is_trusted(host: Host) -> bool:
    with contextlib.suppress(OSError):
        return bool(host.serial())
    return False


def test_a_self_signed_one_that_is_about_to_end_is_renewed(host: Host) -> None:
    host.must("self-signed", NAME)
    host.site.start()
    current = host.site.certificates / "current"
    soon = ["openssl", "req", "-x509", "-key", str(current / "privkey.pem"), "-days", "20", "-subj", f"/CN={NAME}"]
    subprocess.run([*soon, "-out", str(current / "fullchain.pem")], check=True, capture_output=True)
    before = (current / "fullchain.pem").read_bytes()

    host.must("renew")

    assert (current / "fullchain.pem").read_bytes() != before


def test_keys_are_for_their_owner_alone(host: Host) -> None:
    host.must("self-signed", "trial.test")
    (host.site.certificates / "current").unlink()
    host.must("issue", NAME, EMAIL)

    keys = [*host.site.certificates.rglob("*privkey*.pem"), *host.site.certificates.rglob("private_key.json")]
    assert len(keys) >= 4
    assert {oct(key.stat().st_mode & 0o077) for key in keys} == {"0o0"}


def test_what_cannot_be_is_said_and_changes_nothing(host: Host) -> None:
    def refused(*arguments: str, **more: str) -> str:
        done = host.certificate(*arguments, **more)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    assert "there is no certificate yet" in refused("renew")
    for name in ("../x", "a b", "-x", "", "x..y", "x/y", ".x"):
        assert "is not a host name" in refused("self-signed", name)
    assert "is not an email address" in refused("issue", NAME, "nobody")
    assert refused("issue", NAME).startswith("certificate issue NAME EMAIL")
    assert refused().startswith("certificate issue NAME EMAIL")
    host.must("self-signed", NAME)
    assert "The name must lead to this machine" in refused("issue", NAME, EMAIL)  # nginx does not run
    assert host.linked == f"self-signed/{NAME}"
    assert "it is not running" in refused("renew", "--force")
    nothing = {"PATH": str(host.site.folder / "bin")}
    (host.site.folder / "bin").mkdir()
    for program in ("sh", "sed", "readlink", "cksum"):
        (host.site.folder / "bin" / program).symlink_to(shutil.which(program) or "")
    assert "certbot is not installed" in refused("issue", NAME, EMAIL, **nothing)


def test_another_container_is_asked_to_reload(host: Host) -> None:
    """As in Compose: certbot and nginx share a folder and nothing else."""
    host.must("self-signed", NAME)
    host.site.start()
    shared = host.site.folder / "shared"
    shared.mkdir()
    asking = {"NGINX_RELOAD_DIR": str(shared)}
    assert "nginx has not answered" in host.certificate("reload", **asking, NGINX_RELOAD_WAIT_S="1").stderr

    watching = subprocess.Popen(
        [str(host.site.etc / "reload-when-asked")], env={**host.environment, **asking}, start_new_session=True
    )
    try:
        assert watching.wait(10) == 0  # it goes on behind, as the image's start expects
        workers = {worker.pid for worker in host.site.workers()}
        host.must("reload", **asking)
        host.site.wait_for_reload(workers)

        line = host.site.web_file(1)
        text = line.read_text("utf-8")
        line.write_text("serve r;\n", "utf-8")
        refused = host.certificate("reload", **asking)
        assert refused.returncode == 1
        assert 'unknown directive "serve"' in refused.stderr
        line.write_text(text, "utf-8")
        host.must("reload", **asking)
    finally:
        os.killpg(watching.pid, signal.SIGKILL)
    without = subprocess.run([str(host.site.etc / "reload-when-asked")], env=dict(host.environment), check=False)
    assert without.returncode == 0


def test_keep_renews_at_once_and_ends_when_told(host: Host) -> None:
    host.must("issue", NAME, EMAIL)
    host.site.start()
    log = host.site.folder / "keep.log"
    with log.open("wb") as output:
        keeping = subprocess.Popen(
            [str(host.script), "keep"], env=dict(host.environment), stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_until(
            lambda: b"not yet due" in log.read_bytes() or b"No renewals" in log.read_bytes(), what="it has looked"
        )
        wait_until(lambda: [one.name() for one in psutil.Process(keeping.pid).children()] == ["sleep"], what="it waits")
        pause = psutil.Process(keeping.pid).children()[0]
        keeping.terminate()
        assert keeping.wait(5) == 0
        wait_until(lambda: not pause.is_running(), what="nothing is left")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(keeping.pid, signal.SIGKILL)
