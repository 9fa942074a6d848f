"""Builds the OpenAPI 3.1 document from the declarations beside the routes and the models that validate input.

`/api/openapi.json` serves it to programs, `/api/docs` to people. Nothing about a single call is written here.
"""

import re
from collections.abc import Iterator
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, render_template
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from vote.domain.ids import MAX_ID
from vote.server import problems
from vote.web import access, request_guards
from vote.web.access import UNASKED, AccessRule, rule
from vote.web.api import if_match
from vote.web.api.front_door import ROUTES, Route
from vote.web.api.models import Input, Nothing, Problem
from vote.web.api.operations import Operation, operation_of

openapi = Blueprint("openapi", __name__)

EXTENSION = "vote.openapi"
REF = "#/components/schemas/{model}"
BODY_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
TAGS = {
    "voting": "Cast a vote, and check that it is stored.",
    "competitions": "What anyone can read.",
    "accounts": "Register, log in, and manage your own account.",
    "administration": "Manage competitions, for organisers and admins; accounts and gaps, for admins.",
    "service": "Probes and metrics for those who run the service.",
}
ABOUT = (
    "Log in, then send the token as `Authorization: Bearer <token>`. A browser session works too; to change something, it "
    "needs the form's token in `X-CSRF-Token`. For live results, connect a WebSocket to `/live/<id>`: it sends snapshots "
    "like those of `/api/competitions/<id>/results`, each with a higher version."
)


@openapi.get("/api/openapi.json")
@rule(UNASKED)
def show() -> Response:
    """Return the document as JSON."""
    return jsonify(document(current_app))


@openapi.get("/api/docs")
@rule(UNASKED)
def docs() -> str:
    """Show the document as a page."""
    told = document(current_app)
    sent = {
        call["requestBody"]["content"][BODY_TYPES[0]]["schema"]["$ref"].rpartition("/")[2]
        for calls in told["paths"].values()
        for call in calls.values()
        if "requestBody" in call
    }
    return render_template("docs.html", document=told, tags=TAGS, sent=sent)


def document(app: Flask) -> dict[str, Any]:
    """Return this app's document, built once."""
    made: dict[str, Any] | None = app.extensions.get(EXTENSION)
    if made is None:
        made = app.extensions[EXTENSION] = build(app)
    return made


def build(app: Flask) -> dict[str, Any]:
    """Build this app's document."""
    paths: dict[str, dict[str, Any]] = {}
    routes = sorted([*_flask_routes(app), *ROUTES], key=lambda route: (route.path, route.method))
    for route in routes:
        paths.setdefault(PARAMETER.sub(r"{\2}", route.path), {})[route.method] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "vote-app",
            "version": version("vote-app"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas([route.operation for route in routes]),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "session": {"type": "apiKey", "in": "cookie", "name": app.config["SESSION_COOKIE_NAME"]},
            },
        },
    }


def _flask_routes(app: Flask) -> Iterator[Route]:
    rules = access.table_of(app)
    for url in app.url_map.iter_rules():
        operation = operation_of(app.view_functions[url.endpoint])
        if operation is not None:
            for method in sorted((url.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Route(method.lower(), url.rule, rules[url.endpoint], operation)


def _operation(route: Route) -> dict[str, Any]:
    operation = route.operation
    told: dict[str, Any] = {
        "operationId": f"{route.method}{re.sub(r'[^a-z]+', '_', route.path)}".rstrip("_"),
        "summary": operation.summary,
        "tags": [operation.tag],
        "security": _security(route.rule),
        "x-access": route.rule.name.lower(),  # the required role, which `security` cannot express
        "responses": {
            **{str(status): _answer(status, body, operation) for status, body in operation.answers.items()},
            **{
                str(status): _problem(status, route.rule)
                for status in _problems(route)
                if status not in operation.answers
            },
        },
    }
    if operation.description:
        told["description"] = operation.description
    if parameters := list(_parameters(route)):
        told["parameters"] = parameters
    if operation.body is not None:
        schema = {"schema": {"$ref": REF.format(model=operation.body.__name__)}}
        told["requestBody"] = {
            "required": operation.body is not Nothing,
            "content": dict.fromkeys(BODY_TYPES, schema),
        }
    return told


def _problems(route: Route) -> list[int]:
    """Return the error answers of a call: declared ones, and those that follow from its rule, body and address."""
    found = set(route.operation.problems)
    if route.rule is not UNASKED:
        found.add(401)
    if route.method != "get" or route.rule in (access.ORGANISER, access.ADMIN):
        found.add(403)  # a browser's form without its token, or a forbidden account
    if route.path.startswith(request_guards.COUNTED):
        found.add(429)
    if "<id:" in route.path:
        found.add(404)
    if route.operation.body is not None:
        found |= {400, 413, 415, 422}
    if route.operation.tag != "service":
        found.add(503)
    return sorted(found)


def _security(wanted: AccessRule) -> list[dict[str, list[str]]]:
    if wanted is UNASKED:
        return []
    known: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
    return [{}, *known] if wanted is access.PUBLIC else known


def _parameters(route: Route) -> Iterator[dict[str, Any]]:
    text = {"type": "string"}
    for converter, name in PARAMETER.findall(route.path):
        number = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
        yield {"name": name, "in": "path", "required": True, "schema": number if converter else text}
    for name, description in (route.operation.query or {}).items():
        yield {"name": name, "in": "query", "required": False, "description": description, "schema": text}
    for name, description in (route.operation.request_headers or {}).items():
        needed = name == "If-Match"
        schema = {**text, "pattern": if_match.PATTERN} if needed else text
        yield {"name": name, "in": "header", "required": needed, "description": description, "schema": schema}


def _answer(status: int, body: type[BaseModel] | None, operation: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if body is not None:
        told["description"] = (body.__doc__ or "").strip().partition("\n")[0].partition(":")[0].rstrip(".")
        told["content"] = {"application/json": {"schema": {"$ref": REF.format(model=body.__name__)}}}
    if operation.response_headers:
        told["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in operation.response_headers.items()
        }
    return told


def _problem(status: int, rule: AccessRule) -> dict[str, Any]:
    is_of_the_token = status == 401 and rule is access.PUBLIC  # no login is required, but an invalid token is reported
    return {
        "description": "The token is not valid" if is_of_the_token else problems.TITLES[status],
        "content": {problems.CONTENT_TYPE: {"schema": {"$ref": REF.format(model=Problem.__name__)}}},
    }


def _schemas(operations: list[Operation]) -> dict[str, Any]:
    models: set[type[BaseModel]] = {Problem}
    for operation in operations:
        models |= {model for model in (operation.body, *operation.answers.values()) if model is not None}
    ordered = sorted(models, key=lambda model: model.__name__)
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (model, "validation" if issubclass(model, Input) else "serialization") for model in ordered
    ]
    _, schema = models_json_schema(modes, ref_template=REF)
    found: dict[str, Any] = schema["$defs"]
    return found
