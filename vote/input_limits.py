"""Limits on what a client may send, hold or make us do: one table, which is also the source for the code that enforces them.

Anything not counted by a row of this table is a hole. `docs/security.md` shows the table, and
`tests/system/test_input_limits.py` sends what each limit allows, and one more.
"""

from typing import NamedTuple

KIB = 1024

HEAD_MAX_BYTES = 32 * KIB  # request line and fields; a token, cookies and a browser's headers are some 3 KB
HEADERS_MAX = 100  # browsers send some 20, proxies add a few
URL_MAX_BYTES = 8_000  # the minimum that RFC 9110 §4.1 recommends
HANDSHAKE_LINE_MAX_BYTES = 8_000  # of a WebSocket handshake; its library reads lines of 8 KiB
FRAMING_MAX_BYTES = 32 * KIB  # chunk sizes, chunk extensions and trailers, all of them ignored
FRAMING_SHARE = 16  # a long body may have more: one byte of framing per 16 of content

BODY_MAX_BYTES = 64 * KIB  # forms and JSON; our largest has some 10 KiB
VOTE_MAX_BYTES = 16 * KIB  # a ballot is some 200 bytes
FIELDS_MAX = 100  # of a form, a multipart body, each JSON object; our largest form has 26 options
VOTE_FIELDS_MAX = 20
UNKNOWN_FIELDS_NAMED_MAX = 20  # in an answer
FIELD_NAME_MAX_CHARS = 100  # in an answer

SOCKET_MESSAGE_MAX_BYTES = 1024  # watchers need to send nothing; a library's keep-alive fits
SOCKET_MESSAGES_PER_S = 4
SOCKET_FRAMES_PER_S = 20  # of any kind, including fragments and pings
SOCKET_FRAGMENTS_MAX = 16  # of one message
SOCKETS_MAX = 20_000  # of one process, some 20 KB each with its connection: 400 MB; with more, it serves nobody well
CONNECTIONS_MAX = 25_000  # of one process: all its sockets and 5,000 requests

PAGE_WAIT_S = 10  # for a thread, while all of them wait for a slow database; then 503, so that the queue stays bounded
LOGIN_WAIT_S = 10  # for a place at the hasher; refusing sooner would bring the client back at once

# Of a competition. The form, the models and the page take them from here; a test holds the checks of the schema to them.
NAME_MAX_CHARS = 200
DESCRIPTION_MAX_CHARS = 2_000
LABEL_MAX_CHARS = 200

PASSWORD_MAX_CHARS = 1_024  # longer input is refused before hashing, never truncated
TOKEN_MAX_CHARS = 1_024  # ours have about 300; longer ones are not parsed
MAILED_TOKEN_MAX_CHARS = 128  # ours have 43
FREE_GUESSES = 4  # wrong passwords without a delay; from the next one on, each doubles the wait
GUESSES_A_DAY = 100  # per username, from everywhere but known devices (NIST: "no more than 100")
MAILS_TO_ADDRESS_PER_HOUR = 3  # for one purpose
LOGGED_PATH_MAX_CHARS = 200  # in a log line; ours are far shorter


class InputLimit(NamedTuple):
    """A row of the table. `enforced` names the module and object that enforce the limit; `setting` its setting, if it has
    one.
    """

    name: str
    number: int
    unit: str
    enforced: str
    answer: str
    setting: str = ""


_FRAMING = "vote.server.request_framing:FramingProtocol"
_BODY = "vote.server.body_parsers"
_SOCKET = "vote.live.protocol:WatcherProtocol"

TABLE = (
    InputLimit("head", HEAD_MAX_BYTES, "bytes of request line and fields", _FRAMING, "431"),
    InputLimit("header fields", HEADERS_MAX, "fields per head", _FRAMING, "431"),
    InputLimit("address", URL_MAX_BYTES, "bytes of path and query", _FRAMING, "414"),
    InputLimit("host", 1, "`Host` field; HTTP/1.1 requires it", _FRAMING, "400"),
    InputLimit("framing", FRAMING_MAX_BYTES, "bytes of chunk sizes, extensions and trailers", _FRAMING, "431"),
    InputLimit("pipelined requests", 1, "request at a time per connection", _FRAMING, "the next one waits"),
    InputLimit(
        "client timeout",
        15,
        "seconds to send a head or a body, or to read an answer",
        "vote.server.http_protocol:FrontDoorProtocol",
        "408; closed while reading an answer",
        "CLIENT_TIMEOUT_S",
    ),
    InputLimit("connections", CONNECTIONS_MAX, "per process", "vote.ops.gunicorn_conf:FrontDoorWorker", "503"),
    InputLimit("body", BODY_MAX_BYTES, "bytes", "vote.server.request_body:buffer", "413"),
    InputLimit("ballot", VOTE_MAX_BYTES, "bytes per body", "vote.casting.ballot_form:read_body", "413"),
    InputLimit("fields", FIELDS_MAX, "per form or JSON object", _BODY + ":json_object", "413"),
    InputLimit("ballot fields", VOTE_FIELDS_MAX, "per form or JSON object", "vote.casting.ballot_form:parse", "413"),
    InputLimit(
        "unknown fields named",
        UNKNOWN_FIELDS_NAMED_MAX,
        "in a 422",
        "vote.web.validation:check",
        "422; the rest is not named",
    ),
    InputLimit("field name", FIELD_NAME_MAX_CHARS, "characters in an answer", _BODY + ":named", "422, cut"),
    InputLimit(
        "password", PASSWORD_MAX_CHARS, "characters", "vote.web.api.account_models:NewPassword", "422; 401 at login"
    ),
    InputLimit("token", TOKEN_MAX_CHARS, "characters", "vote.identity.bearer_tokens:read_own_token", "401"),
    InputLimit("mail token", MAILED_TOKEN_MAX_CHARS, "characters", "vote.web.api.account_models:MailedToken", "422"),
    InputLimit(
        "logged path", LOGGED_PATH_MAX_CHARS, "characters", "vote.server.logged_paths:logged_path", "cut in the log"
    ),
    InputLimit(
        "handshake field", HANDSHAKE_LINE_MAX_BYTES, "bytes of a field in a WebSocket's handshake", _FRAMING, "431"
    ),
    InputLimit(
        "socket message", SOCKET_MESSAGE_MAX_BYTES, "bytes", "vote.live.connection:Connection", "closed with 1009"
    ),
    InputLimit(
        "socket messages", SOCKET_MESSAGES_PER_S, "a second", "vote.live.connection:Connection", "closed with 1008"
    ),
    InputLimit("socket frames", SOCKET_FRAMES_PER_S, "a second, pings too", _SOCKET, "closed with 1008"),
    InputLimit("socket fragments", SOCKET_FRAGMENTS_MAX, "per message", _SOCKET, "closed with 1009"),
    InputLimit(
        "sockets of an account",
        50,
        "per process",
        "vote.live.socket_quota:SocketQuota",
        "429",
        "LIMIT_SOCKETS_PER_ACCOUNT",
    ),
    InputLimit(
        "sockets of a network",
        10_000,
        "per process",
        "vote.live.socket_quota:SocketQuota",
        "429",
        "LIMIT_SOCKETS_PER_NETWORK",
    ),
    InputLimit("sockets", SOCKETS_MAX, "per process", "vote.live.endpoint:LiveEndpoint", "503"),
    InputLimit(
        "votes",
        400,
        "at once per account, then 20 a second",
        "vote.services.rate_limiter:LocalRateLimiter",
        "429",
        "LIMIT_VOTES_BURST",
    ),
    InputLimit(
        "API calls",
        300,
        "a second per account or network",
        "vote.web.request_guards:check_limit",
        "429",
        "LIMIT_API_PER_S",
    ),
    InputLimit("page wait", PAGE_WAIT_S, "seconds for a thread", "vote.asgi:FrontDoor", "503"),
    InputLimit(
        "login wait", LOGIN_WAIT_S, "seconds for the hasher, round-robin by network", "vote.asgi:FrontDoor", "503"
    ),
    InputLimit(
        "wrong passwords at once",
        FREE_GUESSES + 1,
        "per name and network",
        "vote.actions.login_throttle:LoginThrottle",
        "429",
    ),
    InputLimit("wrong passwords a day", GUESSES_A_DAY, "per name", "vote.actions.login_throttle:LoginThrottle", "429"),
    InputLimit(
        "failed logins",
        60,
        "a minute per network",
        "vote.web.account.login:login",
        "429",
        "LIMIT_LOGIN_FAILURES_PER_MINUTE",
    ),
    InputLimit(
        "correct passwords",
        30,
        "a minute per account",
        "vote.web.request_context:password_counted",
        "429",
        "LIMIT_LOGINS_PER_MINUTE",
    ),
    InputLimit(
        "registrations",
        600,
        "an hour per network",
        "vote.web.account.login:register",
        "429",
        "LIMIT_REGISTRATIONS_PER_HOUR",
    ),
    InputLimit(
        "requested mails",
        120,
        "an hour per account or network",
        "vote.web.request_context:check_mail_limit",
        "429",
        "LIMIT_MAILS_PER_HOUR",
    ),
    InputLimit(
        "mails to an address",
        MAILS_TO_ADDRESS_PER_HOUR,
        "an hour, of one kind",
        "vote.actions.mailed_links:ask_reset",
        "429",
    ),
)
