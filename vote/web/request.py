"""The request as Flask reads it behind the front door."""

from io import BytesIO
from typing import Any

import flask
from werkzeug.exceptions import BadRequest
from werkzeug.formparser import FormDataParser

BODY_MAX_BYTES = 64 * 1024
NOT_A_FORM = "The body is not the form that its type says. Check the boundary and how each field begins."


class FormParser(FormDataParser):
    """Werkzeug's, which takes a form that cannot be read for an empty one: here it is said to be none."""

    def parse(self, *given: Any, **more: Any) -> Any:
        """The form's fields and files. Raises BadRequest."""
        self.silent = False
        try:
            return super().parse(*given, **more)
        except ValueError as error:
            raise BadRequest(NOT_A_FORM) from error


class Request(flask.Request):
    """A request whose body may come in chunks, without its length.

    Werkzeug reads nothing of such a body unless the server promises to end it, and where it has a limit it cuts the body
    there in silence. So the body is read here, one byte beyond the limit at most, and gets its length.
    """

    form_data_parser_class = FormParser

    def __init__(self, environ: dict[str, Any], *rest: Any, **more: Any) -> None:
        if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None and "CONTENT_LENGTH" not in environ:
            body = environ["wsgi.input"].read(BODY_MAX_BYTES + 1)
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        super().__init__(environ, *rest, **more)
