"""What a voter sends, in every form; the fast reader of multipart agrees with the thorough one or lets it decide."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from vote.casting import ballot_form
from vote.casting.ballot_form import BallotForm, parse, read_body
from vote.errors import InvalidInput, TooLarge, WrongMediaType
from vote.input_limits import VOTE_FIELDS_MAX, VOTE_MAX_BYTES
from vote.server import body_parsers
from vote.server.body_parsers import once
from vote.server.raw_response import Message

MULTIPART = "multipart/form-data; boundary=xx"


def part(name: str, value: str, more: str = "") -> str:
    return f'--xx\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'


@pytest.mark.parametrize(
    ("content_type", "body", "vote", "token"),
    [
        ("application/json", '{"vote":"a","csrf_token":"t"}', "a", "t"),
        ("application/json; charset=utf-8", '{"vote":"a"}', "a", None),
        ("application/json", '{"vote":7}', None, None),
        ("application/x-www-form-urlencoded", "vote=a&csrf_token=t", "a", "t"),
        ("application/x-www-form-urlencoded", "vote=", "", None),
        ("", "vote=b", "b", None),
        (MULTIPART, part("vote", "a") + part("csrf_token", "t") + "--xx--\r\n", "a", "t"),
        (MULTIPART, part("csrf_token", "t") + part("vote", "ö") + "--xx--", "ö", "t"),
        (MULTIPART, part("vote", "a", "\r\nContent-Type: text/plain") + "--xx--\r\n", "a", None),
        (MULTIPART, "--xx--\r\n", None, None),
    ],
)
def test_the_fields_are_read(content_type: str, body: str, vote: str | None, token: str | None) -> None:
    assert parse(body.encode(), content_type) == BallotForm(vote, token)


def test_a_file_is_no_vote() -> None:
    with pytest.raises(InvalidInput, match="Files are not accepted here"):
        parse((part("vote", "a", '; filename="a.txt"') + "--xx--\r\n").encode(), MULTIPART)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[1]"),
        ("application/json", b"\xff"),
        ("application/json", b"[" * 10_000),
        ("application/x-www-form-urlencoded", b"\xff=1"),
        ("application/x-www-form-urlencoded", b"vote=%ff"),
        ("application/x-www-form-urlencoded", b"%ff=a"),
        ("application/json", b'{"vote":"\\ud800"}'),
        ("application/json", b'{"vote":"a","other":[{"x":"\\udfff"}]}'),
        ("application/json", b'{"\\ud800":"a"}'),
        ("application/json", b'{"vote":"\xed\xa0\x80"}'),
        ("application/json", '{"vote":"a"}'.encode("utf-16")),
        (MULTIPART, part("vote", "a").encode().replace(b"\r\na", b"\r\n\xff") + b"--xx--"),
        (MULTIPART, b"vote=a"),
        ("multipart/form-data", b"vote=a"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(content_type: str, body: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"cannot be read|not valid UTF-8"):
        parse(body, content_type)


@pytest.mark.parametrize("number", [VOTE_FIELDS_MAX, VOTE_FIELDS_MAX + 1])
def test_too_many_fields_are_too_large_in_every_form(number: int) -> None:
    names = ["vote", *(f"other{n}" for n in range(number - 1))]
    bodies = {
        "application/json": json.dumps(dict.fromkeys(names, "a")),
        "application/x-www-form-urlencoded": "&".join(f"{name}=a" for name in names),
        MULTIPART: "".join(part(name, "a") for name in names) + "--xx--",
        MULTIPART + "; charset=utf-8": "".join(part(name, "a") for name in names) + "--xx--",
    }
    for content_type, body in bodies.items():
        if number == VOTE_FIELDS_MAX:
            assert parse(body.encode(), content_type).vote == "a"
        else:
            with pytest.raises(TooLarge, match=str(VOTE_FIELDS_MAX)):
                parse(body.encode(), content_type)


@pytest.mark.parametrize("content_type", ["application/x-rubbish", "text/plain", "nonsense", "application/xml; x=y"])
def test_a_type_that_nobody_reads_is_refused(content_type: str) -> None:
    with pytest.raises(WrongMediaType):
        parse(b"vote=a", content_type)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", '{"vote":"a","vote":"b"}'),
        ("application/x-www-form-urlencoded", "vote=a&vote=b"),
        (MULTIPART, part("vote", "a") + part("vote", "b") + "--xx--"),
        (MULTIPART, part("vote", "a", "\r\nContent-Type: text/plain") + part("vote", "b") + "--xx--"),
    ],
)
def test_a_ballot_says_one_thing(content_type: str, body: str) -> None:
    with pytest.raises(InvalidInput):
        parse(body.encode(), content_type)


@given(
    st.lists(
        st.tuples(st.sampled_from(["vote", "csrf_token", "other"]), st.text(max_size=20)),
        max_size=5,
        unique_by=lambda field: field[0],
    )
)
def test_the_fast_reader_of_multipart_agrees_with_the_thorough_one(fields: list[tuple[str, str]]) -> None:
    body = ("".join(part(name, value) for name, value in fields) + "--xx--\r\n").encode("utf-8", "replace")

    fast = ballot_form._plain_multipart(body, b"xx")

    try:
        thorough = once(body_parsers.multipart(body, b"xx", VOTE_FIELDS_MAX))
    except ValueError:
        return  # the value holds the boundary itself
    assert fast in (None, {}, thorough)


@given(
    st.from_regex(ballot_form._PLAIN_FORM, fullmatch=True)
    | st.from_regex(ballot_form._PLAIN_JSON, fullmatch=True)
    | st.from_regex(rb"(vote=[a-zA-Z0-9]?&?|csrf_token=[0-9a-f]&?){1,3}", fullmatch=True),
    st.sampled_from(sorted(ballot_form._PLAIN_TYPES)),
)
def test_the_fast_reader_of_forms_and_json_agrees_with_the_thorough_one(body: bytes, content_type: str) -> None:
    fast = ballot_form._plain(body, content_type)

    try:
        thorough = ballot_form._thorough(body, content_type)
    except InvalidInput:
        assert fast is None
    else:
        assert fast in (None, thorough)


@given(
    st.from_regex(ballot_form._MULTIPART, fullmatch=True)
    | st.builds("{}{}".format, st.just("multipart/form-data; boundary="), st.text(max_size=12))
)
def test_the_fast_reader_of_the_type_agrees_with_the_thorough_one(content_type: str) -> None:
    kind, options = parse_options_header(content_type)

    try:
        read = ballot_form._kind_of(content_type)
    except UnicodeEncodeError:
        return  # refused as a body that cannot be read
    assert read == (kind, options.get("boundary", "").encode("ascii"))


@pytest.mark.parametrize("body", [b'{"vote":"a"}', b'{"csrf_token": "1f", "vote": "a"}', b"vote=a&csrf_token=1f"])
def test_what_our_pages_send_is_read_fast(body: bytes) -> None:
    content_type = "application/json" if body.startswith(b"{") else "application/x-www-form-urlencoded;charset=UTF-8"

    assert ballot_form._plain(body, content_type) is not None


def test_a_body_is_read_whole_and_never_beyond_the_limit() -> None:
    def messages(*sizes: int) -> Iterator[Message]:
        for number, size in enumerate(sizes, 1):
            yield {"type": "http.request", "body": b"x" * size, "more_body": number < len(sizes)}

    def read(sizes: tuple[int, ...], length: str | None = None) -> bytes:
        coming = messages(*sizes)

        async def receive() -> Message:
            return next(coming)

        return asyncio.run(read_body(receive, length))

    assert len(read((VOTE_MAX_BYTES,))) == VOTE_MAX_BYTES
    assert len(read((10, 10))) == 20
    for sizes, length in [((VOTE_MAX_BYTES + 1,), None), ((9_000, 9_000), None), ((1,), "99999999")]:
        with pytest.raises(TooLarge):
            read(sizes, length)
