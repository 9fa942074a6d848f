"""Adapts Flask's request to the front door."""

from io import BytesIO
from typing import IO, Any

import flask
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.formparser import FormDataParser

from vote.input_limits import BODY_MAX_BYTES, FIELDS_MAX
from vote.server import body_parsers

NOT_A_FORM = "The body is not the form that its Content-Type says. Check the boundary and the start of each field."


class FormParser(FormDataParser):
    """Parses forms like votes (`server/body_parsers.py`). Werkzeug would read an unreadable one as empty and replace
    invalid text. Files are dropped: none of our forms has any.
    """

    def parse(self, stream: IO[bytes], mimetype: str, _length: int | None, options: Any = None) -> Any:
        """Return the form's fields. Raises BadRequest, InvalidInput and TooLarge."""
        pairs: body_parsers.Pairs = ()
        try:
            if mimetype == body_parsers.MULTIPART:
                boundary = str((options or {}).get("boundary", "")).encode("ascii")
                pairs = body_parsers.multipart(stream.read(), boundary, FIELDS_MAX)
            elif mimetype == body_parsers.FORM:
                pairs = body_parsers.urlencoded(stream.read(), FIELDS_MAX)
        except ValueError as error:
            raise BadRequest(NOT_A_FORM) from error
        return stream, MultiDict(pairs), MultiDict()


class Request(flask.Request):
    """A request whose body may come in chunks, without a length.

    Werkzeug reads such a body only if the server promises to end it, and silently truncates it at a limit. So read it
    here, at most one byte beyond the limit, and set its length.
    """

    form_data_parser_class = FormParser

    def __init__(self, environ: dict[str, Any], *rest: Any, **more: Any) -> None:
        if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None and "CONTENT_LENGTH" not in environ:
            body = environ["wsgi.input"].read(BODY_MAX_BYTES + 1)
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        if not environ.get("CONTENT_TYPE") and environ.get("CONTENT_LENGTH") not in (None, "", "0"):
            environ["CONTENT_TYPE"] = body_parsers.FORM  # a body without a type counts as a form, as for votes
        super().__init__(environ, *rest, **more)

    def _load_form_data(self) -> None:
        self.get_data()  # cached: a refused form is refused again wherever it is read
        super()._load_form_data()
