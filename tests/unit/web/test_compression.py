"""Which content coding a client takes."""

import pytest

from vote.web.compression import best_coding


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0.5, gzip", "gzip"),
        ("br;q=0, gzip;q=0.1", "gzip"),
        ("*", "br"),
        ("*, br;q=0", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("", None),
        ("brx, gzipped", None),
        ("br;q=many", None),
    ],
)
def test_the_best_coding_of_both_sides(accepted: str, coding: str | None) -> None:
    assert best_coding(accepted) == coding
