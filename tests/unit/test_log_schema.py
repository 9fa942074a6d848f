"""docs/logs.schema.json follows the code: every line that the code can write is in it, and nothing else."""

import copy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.log_events import LoggedEvent, logged_events
from tests.log_schema import kind_of, problems_of, schema, wrong_lines

COMMON = {"time", "level", "part", "event"}
ELSEWHERE = {"request", "library"}  # written by `vote/server/access_log.py` and `vote/logs.py:_library_line`
BY_ITSELF = {"request_id"}  # `vote/logs.py` adds it
PEOPLE = {
    "access_code", "address", "authorization", "body", "choice", "code", "cookie", "email", "headers", "ip", "network",
    "option", "params", "password", "query", "receipt", "recipient", "session", "sid", "text", "token", "url", "username",
    "value", "values", "vote", "voter",
}  # fmt: skip


def allowed(event: str) -> tuple[set[str], set[str]]:
    """The fields that a line with this event may have, and those that it must have, whichever of our parts writes it."""
    [kind] = kind_of("web", event)
    return set(kind["then"]["propertyNames"]["enum"]), set(kind["then"].get("required", ()))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema()["required"]) == COMMON


def test_every_event_is_of_one_kind() -> None:
    for event in schema()["properties"]["event"]["enum"]:
        assert len(kind_of("web", event)) == 1, event
    assert [kind["title"] for kind in kind_of("nginx", "request")] == ["request of nginx"]


def test_no_field_has_room_for_what_people_type() -> None:
    assert not PEOPLE & schema()["properties"].keys()
    assert schema()["additionalProperties"] is False


@pytest.mark.parametrize("logged", logged_events(), ids=lambda logged: f"{logged.place} {logged.events}")
def test_a_line_of_the_code_is_in_the_schema(logged: LoggedEvent) -> None:
    assert logged.events
    for event in logged.events:
        assert event in schema()["properties"]["event"]["enum"]
        may, must = allowed(event)
        written = {"exception" if name == "exc_info" else name for name in logged.fields}
        assert written <= may
        assert logged.opens or must - COMMON - BY_ITSELF <= written


def test_the_schema_has_no_event_that_nothing_writes() -> None:
    written = {event for logged in logged_events() for event in logged.events}

    assert set(schema()["properties"]["event"]["enum"]) == written | ELSEWHERE


EXAMPLES: list[dict[str, Any]] = schema()["examples"]
LOGIN, REQUEST, BATCH = EXAMPLES
WRONG: list[dict[str, Any]] = [
    {**LOGIN, "username": "mara"},
    {**LOGIN, "event": "hummed"},
    {**LOGIN, "part": "cellar"},
    {**LOGIN, "time": "2026-11-30T20:15:00.123456+01:00"},
    {**LOGIN, "user_id": "mara"},
    {**LOGIN, "shard": 3},
    {**BATCH, "request_id": LOGIN["request_id"]},
    {**REQUEST, "request_id": "mine"},
    {**REQUEST, "outcome": "a"},
    {name: value for name, value in REQUEST.items() if name != "status"},
    {name: value for name, value in BATCH.items() if name != "level"},
]


def test_the_examples_satisfy_it_and_what_is_wrong_does_not() -> None:
    whole = Draft202012Validator(schema())
    for line in EXAMPLES:
        assert whole.is_valid(line)
        assert list(problems_of(line)) == []
    for line in WRONG:
        assert not whole.is_valid(line), line
        assert list(problems_of(line)), line


def test_text_that_is_no_line_is_told() -> None:
    texts = [
        "Traceback (most recent call last):",
        '{"event": "request"',
        "[]",
        '{"event": "\\u00e9"}',
        '{"event": "é"}',
    ]

    assert len(list(wrong_lines(texts))) == len(texts)


def test_a_published_schema_is_not_changed_by_the_checker() -> None:
    before = copy.deepcopy(schema())

    list(problems_of(LOGIN))

    assert schema() == before
