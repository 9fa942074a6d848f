"""The OpenAPI 3.1 document, put together from what the routes say of themselves and from the models that check input.

`/api/openapi.json` gives it to programs, `/api/docs` to people. Nothing about a single call is written here.
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
from vote.web.api.account_models import Input, Problem
from vote.web.api.front_door import ROUTES, Route
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
    """The document."""
    return jsonify(document(current_app))


@openapi.get("/api/docs")
@rule(UNASKED)
def docs() -> str:
    """The document for people."""
    told = document(current_app)
    sent = {
        call["requestBody"]["content"][BODY_TYPES[0]]["schema"]["$ref"].rpartition("/")[2]
        for calls in told["paths"].values()
        for call in calls.values()
        if "requestBody" in call
    }
    return render_template("docs.html", document=told, tags=TAGS, sent=sent)


def document(app: Flask) -> dict[str, Any]:
    """The document of this app; made once."""
    made: dict[str, Any] | None = app.extensions.get(EXTENSION)
    if made is None:
        made = app.extensions[EXTENSION] = build(app)
    return made


def build(app: Flask) -> dict[str, Any]:
    """The document of this app."""
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
        "x-access": route.rule.name.lower(),  # what the account must be, which `security` cannot say
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
    if parameters := [
        *_path_parameters(route.path),
        *_query_parameters(operation),
        *_header_parameters(operation),
    ]:
        told["parameters"] = parameters
    if operation.body is not None:
        schema = {"schema": {"$ref": REF.format(model=operation.body.__name__)}}
        told["requestBody"] = {
            "required": not operation.body_optional,
            "content": dict.fromkeys(BODY_TYPES, schema),
        }
    return told


def _problems(route: Route) -> list[int]:
    """What can go wrong: what the route says, and what follows from rule, body and address."""
    found = set(route.operation.problems)
    if route.rule is not UNASKED:
        found.add(401)
    if route.method != "get" or route.rule in (access.ORGANISER, access.ADMIN):
        found.add(403)  # a form of a browser without its token; or not for this account
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


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for converter, name in PARAMETER.findall(path):
        number = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
        yield {"name": name, "in": "path", "required": True, "schema": number if converter else {"type": "string"}}


def _query_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name, text in (operation.query or {}).items():
        yield {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}


def _header_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name, text in (operation.request_headers or {}).items():
        needed = name == "If-Match"
        schema = {"type": "string", "pattern": if_match.PATTERN} if needed else {"type": "string"}
        yield {"name": name, "in": "header", "required": needed, "description": text, "schema": schema}


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
    is_of_the_token = status == 401 and rule is access.PUBLIC  # nobody has to log in, but a dead token is told
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
