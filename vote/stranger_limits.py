"""Limits on what a stranger may send, hold or make us do: one table, from which the code that enforces a limit takes it.

A byte, a field or a piece of work that no line of this table counts is a hole. `docs/security.md` shows the table, and
`tests/system/test_stranger_limits.py` sends to each limit as much as it allows, and one more.
"""

KIB = 1024

HEAD_MAX_BYTES = 32 * KIB  # request line and fields; a token, cookies and what browsers add are some 3 KB
HEADERS_MAX = 100  # browsers send some 20, proxies add a few
URL_MAX_BYTES = 8_000  # what RFC 9110 §4.1 asks every server to take at least
HANDSHAKE_LINE_MAX_BYTES = 8_000  # of a WebSocket's handshake; its library reads lines of 8 KiB
FRAMING_MAX_BYTES = 32 * KIB  # sizes and extensions of chunks, and trailers, which nobody here reads
FRAMING_SHARE = 16  # a long body may bring more: one byte of framing for so many of content

BODY_MAX_BYTES = 64 * KIB  # forms and JSON; the largest of ours has some 10 KiB
VOTE_MAX_BYTES = 16 * KIB  # a ballot is some 200 bytes
FIELDS_MAX = 100  # of a form, of multipart, of each JSON object; 26 options are the most that a form of ours has
VOTE_FIELDS_MAX = 20
UNKNOWN_FIELDS_NAMED_MAX = 20  # in an answer
FIELD_NAME_MAX_CHARS = 100  # in an answer

SOCKET_MESSAGE_MAX_BYTES = 1024  # watchers have nothing to say; a keep-alive of some library fits
SOCKET_MESSAGES_PER_S = 4
SOCKET_FRAMES_PER_S = 20  # of any kind, fragments and pings too
SOCKET_FRAGMENTS_MAX = 16  # of one message
