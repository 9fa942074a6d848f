"""Where `next` may lead."""

import pytest

from vote.web.safe_redirect import local_path


@pytest.mark.parametrize(
    "path", ["/", "/vote/1", "/vote/1?choice=b", "/a//b", "/%5Cevil.example", "/?next=//evil.example"]
)
def test_a_path_of_this_site_is_kept(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "elsewhere",
    [
        None,
        "",
        "vote/1",
        " /",
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/a\\b",
        "/\t/evil.example",
        "/\n/evil.example",
        "/a\r\nSet-Cookie: x=y",
        "/\x00",
        "javascript:alert(1)",
        "/" + "a" * 600,
    ],
)
def test_everything_else_is_dropped(elsewhere: str | None) -> None:
    assert local_path(elsewhere) is None
