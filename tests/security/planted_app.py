"""An app full of holes, one for each attacker of `running.py`. It listens on loopback while it is attacked, no longer."""

import contextlib
import html
import sqlite3
import threading
from collections.abc import Iterator

from flask import Flask, Response, jsonify, request
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.stack import free_port

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Holes", "version": "1"},
    "paths": {
        "/share": {
            "get": {
                "parameters": [{"name": "by", "in": "query", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": "A share", "content": {"application/json": {}}}},
            }
        }
    },
}
FORM = '<form method="{}" action="{}"><input type="text" name="{}"><button>Go</button></form>'


def make_app() -> Flask:
    """The app; every request sees the same two rows."""
    app = Flask(__name__)
    app.logger.disabled = True  # it fails on purpose

    @app.get("/")
    def home() -> str:
        return (
            f'{FORM.format("get", "/echo", "said")}{FORM.format("post", "/keep", "note")}<a href="/thing?id=1">one</a>'
        )

    @app.get("/echo")
    def reflected() -> str:
        return f"<html><body>You said {request.args.get('said', '')}</body></html>"

    @app.post("/keep")
    def forgeable() -> str:
        return html.escape(request.form.get("note", ""))

    @app.get("/thing")
    def injectable() -> Response:
        with contextlib.closing(sqlite3.connect(":memory:")) as db:
            db.executescript("CREATE TABLE things (id int, name text); INSERT INTO things VALUES (1, 'a'), (2, 'b')")
            try:
                rows = db.execute("SELECT name FROM things WHERE id = " + request.args.get("id", "0")).fetchall()
            except sqlite3.Error as error:
                return Response(f"sqlite3.OperationalError: {error}", 500)
        return Response(str(rows))

    @app.get("/share")
    def fragile() -> Response:
        return jsonify(share=100 // int(request.args["by"]))

    @app.get("/openapi.json")
    def document() -> Response:
        return jsonify(DOCUMENT)

    return app


class _Silent(WSGIRequestHandler):
    def log(self, *_args: object) -> None:
        """Thousands of requests are no news."""


@contextlib.contextmanager
def planted_app() -> Iterator[str]:
    """The URL of the running app."""
    server = make_server("127.0.0.1", free_port(), make_app(), threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
