"""The request as Flask reads it behind the front door."""

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
    """Reads forms as votes are read (`server/body_parsers.py`). Werkzeug would take one that cannot be read for an
    empty one, and replace what is no text. Files are left out: no form of ours has any.
    """

    def parse(self, stream: IO[bytes], mimetype: str, _length: int | None, options: Any = None) -> Any:
        """The form's fields. Raises BadRequest, InvalidInput and TooLarge."""
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
        if not environ.get("CONTENT_TYPE") and environ.get("CONTENT_LENGTH") not in (None, "", "0"):
            environ["CONTENT_TYPE"] = body_parsers.FORM  # a body without a type is a form here, as it is for votes
        super().__init__(environ, *rest, **more)

    def _load_form_data(self) -> None:
        self.get_data()  # kept: a form that is refused is refused again, wherever it is asked for
        super()._load_form_data()
