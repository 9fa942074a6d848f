"""What `vote trace` takes out of files of lines, whoever has collected them."""

import json

from vote.ops.trace.lines import LogPlace, read

ID = "8f3c2a90b1d4e5f60718293a4b5c6d7e"
HALF = ID[:16]
REQUEST = {
    "event": "request", "part": "web", "time": "2", "request_id": ID, "shard": 3, "epoch": "e1", "position": 17,
}  # fmt: skip
NGINX = {"event": "request", "part": "nginx", "time": "3", "request_id": ID}
REFUSED = {"event": "access refused", "part": "web", "time": "1", "request_id": ID}
OTHER = {"event": "request", "part": "web", "time": "2", "request_id": "0" * 32, "position": 1}


def batch(after: int, last: int, epoch: str = "e1", shard: int = 3) -> dict[str, object]:
    """The line of a batch."""
    return {"event": "batch", "part": "worker", "shard": shard, "epoch": epoch, "after": after, "last": last}


def test_lines_of_the_request_and_the_batch_of_its_place() -> None:
    lines = [OTHER, batch(16, 30, epoch="e0"), NGINX, REFUSED, batch(10, 16), REQUEST, batch(16, 20), batch(20, 40)]

    found = read([json.dumps(line) for line in lines], HALF)

    assert found.requests == [REQUEST, NGINX]
    assert found.events == [REFUSED]
    assert found.places == {LogPlace(3, "e1", 17)}
    assert found.batch_of(LogPlace(3, "e1", 17)) == batch(16, 20)
    assert found.batch_of(LogPlace(3, "e1", 16)) == batch(10, 16)
    assert found.batch_of(LogPlace(4, "e1", 17)) is None


def test_what_a_collector_puts_before_a_line_and_other_text_do_no_harm() -> None:
    texts = [f"web-1  | {json.dumps(REQUEST)}\n", f"no line, but {ID}", f"{{{ID}", f'["{ID}"]', "", '"batch"']

    found = read(texts, HALF)

    assert found.requests == [REQUEST]
    assert found.batches == []
