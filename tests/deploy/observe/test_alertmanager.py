"""Alertmanager: amtool reads the configuration and finds the routes of a table, and a running one silences what it
should; with planted faults.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.deploy.observe.checkers import ALERTMANAGER, amtool_config, amtool_receivers
from tests.deploy.observe.rules import alerts, content
from tests.deploy.observe.running_alertmanager import Labels, RunningAlertmanager
from tests.stack import wait_until

CONFIG = ALERTMANAGER / "alertmanager.yml"
TABLE: dict[str, Any] = content(ALERTMANAGER / "alertmanager_test.yml")
SETTLES_WITHIN_S = 2.0  # an alert silences others as soon as it is known


def misrouted(config: Path) -> list[str]:
    """Rows of the table of routes that are not as it says."""
    found = [(row["labels"], row["receiver"], amtool_receivers(config, row["labels"])) for row in TABLE["routes"]]
    return [f"{labels}: {got} instead of {wanted}" for labels, wanted, got in found if got != [wanted]]


def unlike_the_table(config: Path, folder: Path) -> list[str]:
    """Rows of the table of inhibitions that are not as it says, with a running Alertmanager each."""
    found = []
    for number, row in enumerate(TABLE["inhibitions"]):
        own = folder / str(number)
        own.mkdir(parents=True)
        with RunningAlertmanager(config, own) as alertmanager:
            # First the one that silences, as Prometheus sends it first: what follows waits longer.
            alertmanager.fire([row["source"]])
            alertmanager.fire(others(row["source"]))
            found += _differences(alertmanager, row)
    return found


def _differences(alertmanager: RunningAlertmanager, row: dict[str, Any]) -> list[str]:
    wanted = set(row["silences"])
    try:
        wait_until(lambda: alertmanager.silenced() == wanted, within=SETTLES_WITHIN_S)
    except AssertionError:
        return [f"{row['source']} silences {sorted(alertmanager.silenced())}"]
    return []


def others(source: Labels) -> list[Labels]:
    """An alert of every other name. As tickets they silence nothing themselves."""
    names = sorted({rule.name for rule in alerts()} - {source["alertname"]})
    return [{"alertname": name, "severity": "ticket"} for name in names]


def test_amtool_finds_nothing() -> None:
    assert amtool_config(CONFIG) == []


def test_alerts_reach_whom_they_should() -> None:
    assert misrouted(CONFIG) == []


def test_what_follows_from_an_outage_is_silent_and_nothing_else(tmp_path: Path) -> None:
    assert unlike_the_table(CONFIG, tmp_path) == []


def test_the_table_has_every_severity_and_each_receiver() -> None:
    config = content(CONFIG)

    assert {row["receiver"] for row in TABLE["routes"]} == {one["name"] for one in config["receivers"]}
    assert {row["labels"].get("severity") for row in TABLE["routes"]} == {"page", "ticket", None}


def test_a_page_goes_to_two_places_and_people_hear_when_it_is_over() -> None:
    receivers = {one["name"]: one for one in content(CONFIG)["receivers"]}

    assert {"email_configs", "webhook_configs"} <= receivers["page"].keys()
    assert "email_configs" in receivers["ticket"]
    heard = [
        way
        for name in ("page", "ticket")
        for kind in ("email_configs", "webhook_configs")
        for way in receivers[name].get(kind, [])
    ]
    assert all(way["send_resolved"] for way in heard)


def test_no_secret_stands_in_the_file() -> None:
    text = CONFIG.read_text("utf-8")

    assert "password:" not in text
    assert "credentials:" not in text
    assert "example.org" in text


def planted(folder: Path, old: str, new: str) -> Path:
    """A copy of the configuration with a fault."""
    text = CONFIG.read_text("utf-8")
    assert old in text
    path = folder / "alertmanager.yml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


FOR_AMTOOL = {
    "a receiver that is not there": ("receiver: dead-mans-switch", "receiver: dead-man"),
    "a setting that is not there": ("group_wait: 10s", "group_waits: 10s"),
    "no duration": ("repeat_interval: 4h", "repeat_interval: 4 hours"),
    "a matcher that does not end": (
        """'severity = "page"']\n      receiver""",
        """'severity = "page']\n      receiver""",
    ),
    "a receiver twice": ("- name: ticket", "- name: page"),
}


@pytest.mark.parametrize("what", FOR_AMTOOL)
def test_amtool_finds_a_fault(tmp_path: Path, what: str) -> None:
    assert amtool_config(planted(tmp_path, *FOR_AMTOOL[what]))


MISROUTED = {
    "the watchdog is one ticket more": ('alertname = "Watchdog"', 'alertname = "Watchdogs"'),
    "pages are tickets": (
        """- matchers: ['severity = "page"']\n      receiver: page""",
        """- matchers: ['severity = "page"']\n      receiver: ticket""",
    ),
    "tickets wake people": (
        """- matchers: ['severity = "ticket"']\n      receiver: ticket""",
        """- matchers: ['severity = "ticket"']\n      receiver: page""",
    ),
    "what has no severity wakes people": ("route:\n  receiver: ticket", "route:\n  receiver: page"),
}


@pytest.mark.parametrize("what", MISROUTED)
def test_a_fault_in_a_route_is_found(tmp_path: Path, what: str) -> None:
    assert misrouted(planted(tmp_path, *MISROUTED[what]))


INHIBITIONS = {
    "an outage of the log silences nothing": ("VoteDatabaseDown|VoteLogDown", "VoteDatabaseDown"),
    "a lag rings during an outage": ("VoteLagHigh|VoteHeartbeatMissing|VotePool", "VoteHeartbeatMissing|VotePool"),
    "a full disk is silent during an outage": (
        '|VoteErrorBudgetBurnSlow"\n',
        '|VoteErrorBudgetBurnSlow|VoteDiskSpaceLow"\n',
    ),
    "the budget rings beside the errors": (
        """alertname = "VoteErrorRateHigh"', 'severity""",
        """alertname = "VoteErrorRateLow"', 'severity""",
    ),
    "one worker of two silences the lag": (
        """'severity = "page"', 'part =~ "worker|heartbeat"'""",
        """'part =~ "worker|heartbeat"'""",
    ),
    "a cache that is down silences the lag": ('part =~ "worker|heartbeat"', 'part =~ "worker|heartbeat|cache"'),
    "a backup that is down rings thrice": ('part = "backup"', 'part = "backups"'),
}


@pytest.mark.parametrize("what", INHIBITIONS)
def test_a_fault_in_an_inhibition_is_found(tmp_path: Path, what: str) -> None:
    assert unlike_the_table(planted(tmp_path, *INHIBITIONS[what]), tmp_path)
