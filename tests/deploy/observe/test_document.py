"""docs/observability.md says what the rules and Alertmanager's file do."""

import re

from tests.deploy.observe.alert_table import DOCUMENT, TABLE, table
from tests.deploy.observe.checkers import ALERTMANAGER, PROMETHEUS
from tests.deploy.observe.rules import content

TEXT = DOCUMENT.read_text("utf-8")


def test_the_table_of_alerts_is_that_of_the_rules() -> None:
    """`python -m tests.deploy.observe.alert_table` writes it."""
    found = TABLE.search(TEXT)

    assert found is not None
    assert found[0] == table()


def test_a_changed_rule_changes_the_table() -> None:
    rows = table().splitlines()

    assert len(rows) > 30
    assert (
        "| [VoteLagHigh](runbooks/VoteLagHigh.md) | page | 30 s | 30s | Votes are accepted, but recorded late. |"
        in rows
    )


def test_what_silences_what_is_that_of_the_tested_table() -> None:
    silenced = [set(row["silences"]) for row in content(ALERTMANAGER / "alertmanager_test.yml")["inhibitions"]]
    rows = [row for row in re.findall(r"^\| `Vote.*\|$", TEXT, re.MULTILINE) if row.count("|") == 3]

    said = [set(re.findall(r"`(Vote\w+)`", row.split("|")[2])) for row in rows]

    assert len(rows) == 4
    assert all(names in said for names in silenced if names)
    assert all(names in silenced for names in said)


def test_every_job_of_prometheus_is_explained() -> None:
    jobs = {job["job_name"] for job in content(PROMETHEUS / "prometheus.yml")["scrape_configs"]}

    assert {job for job in jobs if f"`{job}`" not in TEXT} == set()
