"""The scripts of one host, when something goes wrong: no web that serves is taken out, and what they say is so."""

from pathlib import Path

import pytest

from tests.deploy.lint.scripts_on_a_host import ONE, TWO, ScriptHost

CALLS = 45  # of an upgrade; more than it makes, so that none is left out
EVERY = 8  # each such call is one at which an upgrade is killed
PORTS = {"HTTP_PORT": "28080", "HTTPS_PORT": "28443"}


@pytest.fixture
def new_host(tmp_path: Path) -> ScriptHost:
    return ScriptHost(tmp_path)


@pytest.fixture
def host(new_host: ScriptHost) -> ScriptHost:
    return new_host.set_up()


@pytest.mark.parametrize("number", range(1, CALLS, EVERY))
@pytest.mark.parametrize("signal", ["KILL", "INT"])
def test_an_upgrade_that_is_cut_off_leaves_a_host_that_serves(host: ScriptHost, number: int, signal: str) -> None:
    host.state |= {"kill_at": number, "kill_with": signal}
    host.run("compose/upgrade", "two")
    assert all(host.state["serving"])
    assert signal == "KILL" or host.images in ({ONE}, {TWO})
    host.state["kill_at"] = 0

    ended = host.run("compose/upgrade", "two")

    assert (ended.code, host.images) == (0, {TWO}), ended.said
    assert host.somebody_always_served()
    assert (host.known("UNFINISHED"), host.known("BEFORE_VOTE_IMAGE")) == ("", ONE)


def test_a_disk_that_is_full_leaves_settings_as_they_are(host: ScriptHost) -> None:
    """Some awks say nothing of what they could not write."""
    host.program("awk", "exit 0")
    before = host.env.read_text("utf-8")

    ended = host.run("compose/upgrade", "two")

    assert (ended.code, ".env could not be written" in ended.said) == (1, True), ended.said
    assert host.env.read_text("utf-8") == before
    assert host.images == {ONE}


def test_a_disk_that_is_full_on_the_way_back_keeps_nobody_from_going_back(host: ScriptHost) -> None:
    host.state["never_ready"] = [TWO]
    once = '[ ! -e copied ] && : >copied && exec /bin/cp "$@"; exit 1'
    host.program("cp", f'case "$*" in *.env.new) {once} ;; esac; exec /bin/cp "$@"')

    ended = host.run("compose/upgrade", "two")

    assert (ended.code, ".env still names" in ended.said) == (1, True), ended.said
    assert host.images == {ONE}
    assert host.somebody_always_served()


def test_whoever_stops_listening_does_not_end_an_upgrade_half_done(host: ScriptHost) -> None:
    """`upgrade | head`, and a connection that is lost."""
    host.state["never_ready"] = [TWO]
    with host.start("compose/upgrade", "two") as running:
        assert running.stdout.readline()
        running.stdout.close()
        running.stdout = None
        ended = host.ended(running)

    assert ended.code == 1
    assert host.images == {ONE}
    assert host.somebody_always_served()


def test_one_missed_look_takes_no_web_out_that_serves_alone(host: ScriptHost) -> None:
    del host.state["running"]["web-2"]
    host.state |= {"missed_looks": {"web-1": 2}, "failing": ["--quiet-pull --force-recreate web-2"]}

    ended = host.run("compose/restart")

    assert ended.code == 1
    assert all("web-1" in serving for serving in host.state["serving"]), ended.said


def test_a_start_that_was_cut_off_is_gone_on_with(host: ScriptHost) -> None:
    """`docker compose down`, then `setup`, of which the first fails."""
    host.state |= {"running": {}, "failing": ["up --detach --no-deps --no-build --force-recreate --quiet-pull migrate"]}
    assert host.run("compose/setup").code == 1
    host.state["failing"] = []
    (host.folder / "secrets/admin-password").unlink()

    ended = host.run("compose/setup")

    assert (ended.code, "is up again" in ended.said) == (0, True), ended.said
    assert host.state["serving"][-1] == ["web-1", "web-2"]
    assert "Nothing was changed" in host.run("compose/setup").said


def test_a_typo_in_the_domain_is_corrected_by_the_next_run(new_host: ScriptHost) -> None:
    new_host.program("chown", "exit 0")
    new_host.state["failing"] = ["certbot issue vote.exmaple.org"]
    arguments = ("--email", "ops@example.org", "--image", ONE, "--backup-image", ONE)
    assert (
        "no certificate yet" in new_host.run("compose/setup", "--domain", "vote.exmaple.org", *arguments, **PORTS).said
    )

    ended = new_host.run("compose/setup", "--domain", "vote.example.org")

    assert ended.code == 0, ended.said
    assert new_host.known("SERVER_NAME") == "vote.example.org"
    assert any("--publish 28080:80" in call and "vote.example.org" in call for call in new_host.state["calls"])


def test_a_restore_that_is_cut_off_starts_what_it_stopped(host: ScriptHost) -> None:
    first = host.run("compose/restore")
    assert first.code == 0, first.said
    restoring = next(number for number, call in enumerate(host.state["calls"], 1) if "vote restore" in call)
    host.state |= {"kill_at": restoring, "kill_with": "INT"}

    ended = host.run("compose/restore")

    assert (ended.code, "cut off" in ended.said) == (1, True), ended.said
    assert host.images == {ONE}


@pytest.mark.parametrize("arguments", [["a", "--to-time"], ["--accept-loss", "x", "--label"], ["--to-time"]])
def test_a_restore_that_is_called_wrongly_stops_nothing(host: ScriptHost, arguments: list[str]) -> None:
    assert host.run("compose/restore", *arguments).code == 2
    assert host.state["calls"] == []


def test_a_time_that_is_no_number_is_refused_at_once(host: ScriptHost) -> None:
    ended = host.run("compose/upgrade", "two", READY_TIMEOUT_S="60s")

    assert (ended.code, "number of seconds" in ended.said) == (2, True), ended.said
    assert host.state["calls"] == []


def test_a_deployment_of_what_was_there_already_is_not_rolled_back(host: ScriptHost) -> None:
    """Whoever asks cannot reach it, by a fault of their own."""
    digest = f"sha256:{'0' * 64}"
    host.env.write_text(host.env.read_text("utf-8").replace(ONE, f"localhost/vote-app@{digest}"), "utf-8")
    host.program("curl", "exit 6")
    given = {"DIGEST": digest, "PUBLIC_URL": "https://vote.example.org", "READY_TIMEOUT_S": "1"}

    ended = host.run("ci/deploy", "compose", **given)

    assert (ended.code, "nothing to go back from" in ended.said) == (1, True), ended.said
    assert not any("compose" in call and " up " in call for call in host.state["calls"])


@pytest.mark.parametrize("name", ["vote.example.org.", "vote-.example.org", "-vote.example.org", "vote..org"])
def test_what_is_no_host_name_is_refused(new_host: ScriptHost, name: str) -> None:
    ended = new_host.run("compose/setup", "--domain", name, "--email", "ops@example.org", **PORTS)

    assert (ended.code, "is not a host name" in ended.said) == (1, True), ended.said


def test_a_planted_fault_is_seen(host: ScriptHost) -> None:
    """Without the second look the web that serves alone is taken out."""
    path = host.folder / "deploy/compose/prelude.sh"
    text = path.read_text("utf-8")
    assert text.count("if until_true 10 web_is_ready") == 1
    path.write_text(text.replace("if until_true 10 web_is_ready", "if web_is_ready"), "utf-8")

    with pytest.raises(AssertionError):
        test_one_missed_look_takes_no_web_out_that_serves_alone(host)
