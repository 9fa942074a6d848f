"""The request as Flask reads it behind the front door."""

from io import BytesIO
from typing import Any

import flask

BODY_MAX_BYTES = 64 * 1024


class Request(flask.Request):
    """A request whose body may come in chunks, without its length.

    Werkzeug reads nothing of such a body unless the server promises to end it, and where it has a limit it cuts the body
    there in silence. So the body is read here, one byte beyond the limit at most, and gets its length.
    """

    def __init__(self, environ: dict[str, Any], *rest: Any, **more: Any) -> None:
        if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None and "CONTENT_LENGTH" not in environ:
            body = environ["wsgi.input"].read(BODY_MAX_BYTES + 1)
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        super().__init__(environ, *rest, **more)
