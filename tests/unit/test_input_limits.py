"""The table of limits on strangers says what the code does, and the document says what the table says."""

import importlib

import pytest

from tests.unit.tree import read
from vote.config import Settings
from vote.input_limits import TABLE, InputLimit

HEAD = "| limit | number | unit | enforced by | beyond it |\n|---|---:|---|---|---|\n"


def written(limit: InputLimit) -> str:
    """A line of the table in `docs/security.md`."""
    number = f"{limit.number:,}" + (f" (`{limit.setting}`)" if limit.setting else "")
    module, _, name = limit.enforced.partition(":")
    return f"| {limit.name} | {number} | {limit.unit} | `{module.replace('.', '/')}.py:{name}` | {limit.answer} |\n"


def test_the_document_has_the_table() -> None:
    assert HEAD + "".join(map(written, TABLE)) in read("docs/security.md")


def test_names_are_different() -> None:
    assert len({limit.name for limit in TABLE}) == len(TABLE)


@pytest.mark.parametrize("limit", TABLE, ids=lambda limit: limit.name)
def test_a_limit_is_enforced_where_it_says_by_the_number_it_says(limit: InputLimit) -> None:
    module, _, name = limit.enforced.partition(":")

    assert hasattr(importlib.import_module(module), name)
    if limit.setting:
        assert Settings.model_fields[limit.setting.lower()].default == limit.number
