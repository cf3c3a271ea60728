"""Completes the OpenAPI document with what follows from the declarations of the views."""

import inspect
import json
from collections.abc import Iterable
from typing import Any, Final, get_type_hints

from flask import Flask
from flask_openapi3.utils import parse_rule
from pydantic.alias_generators import to_camel

from seating.domain import errors
from seating.domain.breaker import BreakerState, Refused
from seating.domain.partner_errors import PartnerAnswerInvalid, PartnerUnavailable
from seating.domain.rate_policy import Quota, Verdict
from seating.web import live_messages, request_errors
from seating.web.api_headers import HEADERS, header_names
from seating.web.callers import Access
from seating.web.declarations import View
from seating.web.errors import PROBLEM_TYPE, STATUS, body_of, code_of, status_of, title_of

DESCRIPTION: Final = """The backend of a ticket on-sale.

- **Errors** are `application/problem+json` (RFC 9457) with a `code` for programs; `ErrorCode` explains each code.
  Requests that match no route get the code of their status, such as `NOT_FOUND`. More codes may be added.
- **Lists** are paged: `limit` is the size of a page, and `next` in the body is the `cursor` of the next one, or null.
  Only `GET /users` returns a bare list, which older clients need; its next page is in the header `Link`.
- **API keys** are sent as `Authorization: Bearer`. If an operation also allows no key, the installation decides.
- **WebSockets** are described in `x-websockets`.
- New fields may be added to responses."""

_SECURITY: Final[dict[Access, list[dict[str, list[str]]]]] = {
    Access.ANYBODY: [],
    **{access: [{}, {"key": []}] for access in (Access.HOLDERS, Access.BUYERS, Access.USERS, Access.USER_CHANGES)},
    **{access: [{"key": []}] for access in (Access.SHOPS, Access.READERS, Access.OPERATORS)},
}

_OF_BODIES: Final = (
    errors.InvalidRequest,
    request_errors.BodyTooSlow,
    request_errors.BodyTooLarge,
    request_errors.UnsupportedMediaType,
)
_OF_KEYS: Final = (request_errors.Unauthorized, request_errors.Forbidden, errors.RateLimited)
_OF_HTTP: Final = (400, 403, 405, 417, 431, 500, 501)
"""Statuses of requests that match no route: their names are the codes."""

_REQUEST_ID: Final = "4f1d2c3b5a697887"
_QUOTA: Final = Quota(5, 10_000)
_EXAMPLES: Final[dict[type[errors.SeatingError], errors.SeatingError]] = {
    type(error): error
    for error in (
        errors.InvalidRequest("Quantity must be at least 1", "quantity"),
        errors.InvalidStatus(field="status"),
        errors.SoldOut(seats_remaining=1),
        errors.NotTogether(seats_remaining=12),
        errors.SeatUnavailable(seats=["sec-1-row-A-seat-1"]),
        errors.SeatNotFound(seats=["sec-1-row-A-seat-99"]),
        errors.NotOnSale(state="paused"),
        errors.NotOpenYet(1_793_523_600_000, 90_000),
        errors.BuyerLimit(left=1),
        errors.TooManyHeld(seats_held=10),
        errors.RateLimited(_QUOTA, Verdict(passes=False, wait_ms=1500, left=())),
        request_errors.BodyTooLarge(max_bytes=16_384),
        request_errors.Forbidden(role="sell"),
        PartnerAnswerInvalid("status 418"),
        PartnerUnavailable(Refused(BreakerState.OPEN, 9000)),
    )
}


def complete(app: Flask, document: dict[str, Any]) -> None:
    """Complete `document`, which flask-openapi3 has generated from the views of `app`, in place."""
    components = document["components"]
    components["headers"] = HEADERS
    components["examples"] = {kind.__name__: _example_of(kind) for kind in _kinds()}
    schemas = components["schemas"]
    schemas["ErrorCode"] = _error_codes()
    schemas["Problem"]["properties"]["code"] = {"$ref": "#/components/schemas/ErrorCode"}
    document["x-websockets"] = live_messages.describe(schemas)
    for schema in schemas.values():
        if "example" in schema:
            schema["examples"] = schema.pop("example")
    for rule in app.url_map.iter_rules():
        item = {} if rule.websocket else document["paths"].get(parse_rule(rule.rule), {})
        for method in item.keys() & {method.lower() for method in rule.methods or ()}:
            _complete_operation(item[method], app.view_functions[rule.endpoint], schemas)


def _complete_operation(operation: dict[str, Any], view: View, schemas: dict[str, Any]) -> None:
    summary, _, description = (inspect.getdoc(view) or "").partition("\n")
    operation |= {"operationId": to_camel(view.__name__), "summary": summary, "description": description.strip()}
    operation["security"] = _SECURITY[view.access]  # type: ignore[attr-defined]
    for parameter in operation.get("parameters", ()):
        _tidy(parameter)
    if getattr(get_type_hints(view).get("body"), "may_be_absent", False):
        operation["requestBody"]["required"] = False
    responses = operation["responses"]
    responses |= {str(status): _problem_response(status, kinds) for status, kinds in _refusals(view).items()}
    for status, response in responses.items():
        content = response.get("content", {})
        names = header_names(view, int(status), is_problem=PROBLEM_TYPE in content)
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(names)}
    for holder in (operation.get("requestBody", {}), *responses.values()):
        for media in holder.get("content", {}).values():
            media["examples"] = media.get("examples") or _media_examples(media["schema"], schemas)


def _tidy(parameter: dict[str, Any]) -> None:
    """Remove null, which parameters cannot be; show each cursor as a string, like `next` in responses."""
    schema = parameter["schema"]
    schema.pop("example", None)
    if "anyOf" in schema:
        schema |= next(kind for kind in schema.pop("anyOf") if kind != {"type": "null"})
    if parameter["name"] == "cursor":
        parameter["schema"] = {"type": "string", "pattern": "^[0-9]{1,18}$"} if schema["type"] == "integer" else schema
    if not schema.get("default", True):
        del schema["default"]


def _refusals(view: View) -> dict[int, list[type[errors.SeatingError]]]:
    """Return the errors of a view by status."""
    parameters = get_type_hints(view)
    kinds = [request_errors.InternalError, *getattr(view, "refusals", ())]
    if errors.RecordUnavailable in kinds:
        kinds.append(errors.WrongTables)
    if "body" in parameters:
        kinds += _OF_BODIES
    if "query" in parameters:
        kinds.append(errors.InvalidRequest)
    if "path" in parameters:
        kinds.append(request_errors.NotFound)
    if parameters.keys() & {"path", "query"}:
        kinds.append(request_errors.UriTooLong)
    if view.access is not Access.ANYBODY:  # type: ignore[attr-defined]
        kinds += _OF_KEYS
    if getattr(view, "is_limited", False):
        kinds.append(errors.RateLimited)
    by_status: dict[int, list[type[errors.SeatingError]]] = {}
    for kind in sorted(set(kinds), key=lambda kind: kind.__name__):
        by_status.setdefault(_status(kind), []).append(kind)
    return dict(sorted(by_status.items()))


def _problem_response(status: int, kinds: list[type[errors.SeatingError]]) -> dict[str, Any]:
    meanings = _meanings(kinds)
    schema = {"$ref": "#/components/schemas/Problem", "properties": {"code": {"enum": list(meanings)}}}
    examples = {kind.__name__: {"$ref": f"#/components/examples/{kind.__name__}"} for kind in kinds}
    return {
        "description": f"{title_of(status)}\n\n{_as_list(meanings)}",
        "content": {PROBLEM_TYPE: {"schema": schema, "examples": examples}},
    }


def _error_codes() -> dict[str, Any]:
    meanings = _meanings(_kinds()) | {code_of(status): title_of(status) for status in _OF_HTTP}
    return {
        "type": "string",
        "enum": list(meanings),
        "description": _as_list(meanings),
        "x-enum-descriptions": list(meanings.values()),
    }


def _meanings(kinds: Iterable[type[errors.SeatingError]]) -> dict[str, str]:
    """Return the sentence of each code; the first error with a code wins."""
    meanings: dict[str, str] = {}
    for kind in kinds:
        meanings.setdefault(kind.code, kind.sentence)
    return meanings


def _as_list(meanings: dict[str, str]) -> str:
    return "\n".join(f"- `{code}`: {sentence}" for code, sentence in meanings.items())


def _kinds() -> list[type[errors.SeatingError]]:
    return [*STATUS, errors.UnknownSeat, errors.NotOpenYet]


def _status(kind: type[errors.SeatingError]) -> int:
    return status_of(_instance(kind))


def _instance(kind: type[errors.SeatingError]) -> errors.SeatingError:
    return _EXAMPLES.get(kind) or kind()


def _example_of(kind: type[errors.SeatingError]) -> dict[str, Any]:
    return {"summary": kind.sentence, "value": json.loads(body_of(_instance(kind), _REQUEST_ID))}


def _media_examples(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "").rpartition("/")[2]
    values = schemas[reference].get("examples") if reference in schemas else None
    return {f"example{n}": {"value": value} for n, value in enumerate(values or [_example(schema, schemas)], 1)}


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """Build an example from the examples of a schema's parts."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return _example(schema["anyOf"][-1], schemas)
    if schema["type"] == "null":
        return None
    if schema["type"] == "array":
        return [_example(schema["items"], schemas)]
    if "const" in schema:
        return schema["const"]
    return {name: _example(part, schemas) for name, part in schema["properties"].items()}
