"""Which moment a typed time is; and that every name of a time zone is known, whatever the system has of them."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vote.web.dashboard import time_fields

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Pacific/Apia",
    "Asia/Kathmandu",
)
TIMES = st.datetimes(datetime.fromisoformat("2005-01-01"), datetime.fromisoformat("2040-01-01"))
OLD_NAMES = ("Asia/Calcutta", "Europe/Kiev", "Asia/Saigon", "America/Buenos_Aires", "Asia/Katmandu", "US/Pacific")


@given(at=TIMES, zone=st.sampled_from(ZONES))
def test_a_moment_is_found_again_from_what_a_clock_shows(at: datetime, zone: str) -> None:
    moment = at.replace(tzinfo=UTC, microsecond=0)
    text = time_fields.local(moment, zone)

    choices = time_fields.choices(text, zone)
    found = {time_fields.moment(text, zone, choice.moment) for choice in choices} or {time_fields.moment(text, zone)}

    assert moment in found
    assert len(found) == len(choices) or not choices


@given(wall=TIMES, zone=st.sampled_from(ZONES))
def test_a_time_that_does_not_come_names_one_that_does(wall: datetime, zone: str) -> None:
    text = f"{wall:%Y-%m-%dT%H:%M}"
    try:
        time_fields.moment(text, zone)
    except ValueError as error:
        if "does not come" in str(error):
            following = str(error).removesuffix(".").rpartition(" ")[2]
            assert following > text
            assert time_fields.moment(following, zone) is not None


def test_every_name_is_known_where_the_system_has_none(tmp_path: Path) -> None:
    asked = f"from vote.web.dashboard.time_fields import zone_of; [zone_of(name) for name in {OLD_NAMES}]"

    told = subprocess.run(
        [sys.executable, "-c", asked],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize(
    "text", ["2030-01-31", "20300131T1800", "31.1.2030 18:00", "2030-02-30T10:00", "0001-01-01T00:00"]
)
def test_what_is_no_date_with_a_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Give the date and time as"):
        time_fields.moment(text, "Asia/Tokyo")
