"""What gunicorn is told about how to serve."""

from vote.input_limits import SOCKET_MESSAGE_MAX_BYTES
from vote.ops.gunicorn_conf import FrontDoorWorker


def test_watchers_are_pinged_and_small_messages_are_enough() -> None:
    told = FrontDoorWorker.CONFIG_KWARGS

    assert 0 < told["ws_ping_interval"] <= 30
    assert 0 < told["ws_ping_timeout"] <= 30
    assert SOCKET_MESSAGE_MAX_BYTES <= told["ws_max_size"] <= 64 * 1024
    assert told["server_header"] is False
    assert told["proxy_headers"] is False
