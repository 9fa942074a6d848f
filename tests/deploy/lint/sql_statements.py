"""A SQL file as statements: where each begins, its text without comments and literals, and the comment lines above it."""

import re
from collections.abc import Iterator
from typing import NamedTuple

# What a semicolon does not end: comments, strings, quoted names, dollar quotes (PostgreSQL manual, 4.1 Lexical Structure).
OPAQUE = re.compile(
    r"--[^\n]*|/\*.*?\*/|[eE]?'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(?P<tag>\$\w*\$)(?P<body>.*?)(?P=tag)", re.DOTALL
)


class Statement(NamedTuple):
    """One statement. `text` has single spaces, no comments, and '' in place of every literal and dollar-quoted body."""

    line: int  # of its first word, from 1
    text: str
    source: str  # as written
    bodies: tuple[str, ...]  # what stood between dollar quotes: functions, DO blocks
    comments: tuple[str, ...]  # the lines of comment directly above it


def statements(sql: str) -> Iterator[Statement]:
    """Yield the statements of a file in order."""
    begin = 0
    for end in [*_ends(sql), len(sql)]:
        source = sql[begin:end]
        text = " ".join(OPAQUE.sub(_blanked, source).split())
        if text:
            first = re.search(r"^(?!\s*--)(?=.*\S)", source, re.MULTILINE)
            assert first is not None
            above = source[: first.start()].rstrip(" ").removesuffix("\n").rpartition("\n\n")[2].splitlines()
            yield Statement(
                sql.count("\n", 0, begin + first.start()) + 1,
                text,
                source[first.start() :].strip(),
                tuple(match["body"] for match in OPAQUE.finditer(source) if match["tag"]),
                tuple(line.strip().removeprefix("--").strip() for line in above if line.strip()),
            )
        begin = end + 1


def _ends(sql: str) -> Iterator[int]:
    """Yield the places of the semicolons that end a statement."""
    hidden = OPAQUE.sub(lambda match: " " * len(match[0]), sql)
    return (match.start() for match in re.finditer(";", hidden))


def _blanked(match: re.Match[str]) -> str:
    if match[0].startswith(("--", "/*")):
        return " "
    return match[0] if match[0].startswith('"') else "''"
