"""The OpenAPI 3.1 document, generated from the operations and their structs."""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gatepost.entrypoints.api.operation import KEYS_AND_PEOPLE, Operation
from gatepost.entrypoints.api.problem import Errors
from gatepost.tenancy.access.person import CallerKind

DOCUMENT_PATH: Final = "/v3/openapi.json"

_COMPONENT: Final = "#/components/schemas/{name}"
_STATUS_TEXTS: Final = {
    200: "Done.",
    201: "Made.",
    202: "Accepted: on stable storage, and queued for delivery.",
    204: "Done; there is nothing to say.",
    400: "The body is wrong; each error names its field.",
    401: "The key or the session is missing, wrong, expired or revoked, or may not send mail.",
    403: "The caller may not do this, or not from this address, or not yet; or a limit is reached.",
    404: "There is no such thing in this account.",
    405: "The path does not have this method.",
    408: "The body took too long to arrive.",
    409: "The same request is being carried out, or the act would shut out whoever asks for it.",
    413: "The body is too large.",
    415: "The body is not JSON in UTF-8, sent as it is.",
    422: "The Idempotency-Key was used for a request with another body.",
    429: "Too many requests, wrong keys or wrong guesses; Retry-After says when to come again.",
    500: "A failure of the service; its log says which.",
    503: "The service cannot do it at the moment; Retry-After says when to come again.",
    507: "The service has no room for mail at the moment; Retry-After says when to come again.",
}
_QUERY_TYPES: Final = {
    "limit": {"type": "integer", "minimum": 1},
    "offset": {"type": "integer", "minimum": 0},
}
_ALWAYS_REFUSED: Final = (401, 403, 405, 429, 500, 503)
_REFUSED_WITH_BODY: Final = (400, 408, 413, 415, 507)


_SECURITY: Final[dict[CallerKind, list[dict[str, list[str]]]]] = {
    CallerKind.KEY: [{"key": []}, {"basic": []}],
    CallerKind.PERSON: [{"session": []}],
    CallerKind.NOBODY: [],
}


def render_document(operations: Sequence[Operation]) -> bytes:
    """Return the document as JSON, indented; the same operations give the same octets."""
    document = describe(operations)
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def describe(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document."""
    given = [shape for operation in operations for shape in operation.gives.values() if shape]
    shapes = [*[operation.takes for operation in operations if operation.takes], *given, Errors]
    unique = list(dict.fromkeys(shapes))
    _, components = msgspec.json.schema_components(unique, ref_template=_COMPONENT)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe_operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gatepost",
            "version": "3",
            "description": "The HTTP API of Gatepost, compatible with the v3 API of SendGrid as far as it is here.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key: SG.….…"},
                "session": {"type": "http", "scheme": "bearer", "description": "A person's session: gps_…"},
                "basic": {"type": "http", "scheme": "basic", "description": "User name apikey, password: an API key."},
            },
        },
        "security": [{"key": []}, {"session": []}, {"basic": []}],
    }


def _describe_operation(operation: Operation) -> dict[str, Any]:
    refused = {*_ALWAYS_REFUSED, *operation.refuses, *(_REFUSED_WITH_BODY if operation.takes else ())}
    answers = {status: _content(struct) for status, struct in operation.gives.items()}
    answers |= {status: _content(Errors) for status in sorted(refused)}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "x-required-scope": operation.scope,
        "x-on-behalf-of": operation.is_on_behalf,
        "responses": {
            str(status): {"description": _STATUS_TEXTS[status], **content} for status, content in answers.items()
        },
    }
    if operation.callers != KEYS_AND_PEOPLE:
        described["security"] = [scheme for kind in sorted(operation.callers, key=str) for scheme in _SECURITY[kind]]
    if operation.needs_proof:
        described["x-needs-fresh-factor"] = True
    if operation.steps:
        described["x-session-steps"] = sorted(step.value for step in operation.steps)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": text, "schema": _QUERY_TYPES.get(name, {"type": "string"})}
        for name, text in operation.query.items()
    ]
    parameters += [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in operation.headers.items()
    ]
    if parameters:
        described["parameters"] = parameters
    if operation.takes:
        described["requestBody"] = {"required": True, **_content(operation.takes)}
    return described


def _content(shape: type[object] | None) -> dict[str, Any]:
    if shape is None:
        return {}
    (schema,), _ = msgspec.json.schema_components([shape], ref_template=_COMPONENT)
    return {"content": {"application/json": {"schema": schema}}}
