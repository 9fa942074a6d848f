"""Rows of the audit log in words."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from vote.db.audit import AuditEntry
from vote.domain.folding import isolated
from vote.web.dashboard.audit_text import PARTS, deed, part

NOW = datetime(2026, 11, 28, 20, 0, tzinfo=UTC)
A_NAME = re.compile(r"[A-Za-z0-9_.-]{3,40}")


def row(actor: str = "user:7", **more: Any) -> AuditEntry:
    wanted = {"action": "update", "subject": "competitions", "subject_id": "1", "before": None, "after": None, **more}
    return AuditEntry(NOW, actor, None, **wanted)


def test_a_person_is_told_from_a_part_by_what_was_written() -> None:
    assert row("user:7").person == 7
    assert [row(actor).person for actor in ("schedule", "vote admin", "vote_web", "user", "user:", "user:x")] == [
        None
    ] * 6


@pytest.mark.parametrize("actor", [*PARTS, "vote up", "vote admin", "vote_owner", "something_new"])
def test_no_part_reads_like_a_user_name(actor: str) -> None:
    assert not A_NAME.fullmatch(part(actor))


def test_times_are_left_to_the_page() -> None:
    before = {"opens_at": None, "closes_at": "2026-11-28T21:49:00+00:00", "name": "Old"}
    after = {"opens_at": "2026-11-28T20:00:00.5+00:00", "closes_at": None, "name": "2026-11-28T21:49:00+00:00"}

    assert deed(row(before=before, after=after)) == [
        "changed closing time: ",
        datetime(2026, 11, 28, 21, 49, tzinfo=UTC),
        " → ",
        "nothing",
        "; ",
        "changed name: ",
        "Old",
        " → ",
        "2026-11-28T21:49:00+00:00",
        "; ",
        "changed opening time: ",
        "nothing",
        " → ",
        datetime(2026, 11, 28, 20, 0, 0, 500_000, tzinfo=UTC),
    ]


def test_what_happens_to_the_state_comes_first() -> None:
    after = {"status": "open", "closes_at": None, "revision": 4}

    told = deed(row(before={"status": "closed", "closes_at": "2026-11-28T21:49:00+00:00"}, after=after))

    assert told[:3] == ["reopened voting", "; ", "changed closing time: "]
    assert deed(row(before={"rules_version": 1}, after={"rules_version": 2})) == ["updated the voting rules"]


@pytest.mark.parametrize("name", ["name", "description"])
def test_a_difference_late_in_a_long_text_is_seen(name: str) -> None:
    before, after = "M" * 198 + "at", "M" * 198 + "of"

    assert deed(row(before={name: before}, after={name: after}))[1:] == [before, " → ", after]
    option = row(subject="options", subject_id="1/a", before={"label": before}, after={"label": after})
    assert deed(option) == [f"changed option a: label {before} → {after}"]


def test_of_a_text_too_long_for_a_list_the_beginning_is_told() -> None:
    told = deed(row(before={"description": "M" * 301}, after={"description": "M" * 300}))

    assert told[1:] == [isolated("M" * 299 + "…"), " → ", "M" * 300]
