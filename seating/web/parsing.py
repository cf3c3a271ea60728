"""What a view declares in its signature (`body`, `query`, `header`, `path`), read from the request."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, Final, get_type_hints

from flask import request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.wrappers import Response

from seating.domain.errors import InvalidRequest
from seating.web import strict_json
from seating.web.services import services

NOT_BLANK: Final = r"\S"
"""A pattern for names."""

View = Callable[..., Response]


class StrictModel(BaseModel):
    """A body of exactly the declared fields, each of exactly its type."""

    max_body_bytes: ClassVar[int] = strict_json.MAX_BODY_BYTES

    model_config = ConfigDict(extra="forbid", strict=True)


def parsed(view: View) -> View:
    """Hands the view the models that its signature names. Raises InvalidRequest naming the first field that is wrong.

    `header` is taken as it is, and `path` raises what its model does: their text has rules and errors of its own.
    """
    models: dict[str, type[BaseModel]] = {
        name: model for name, model in get_type_hints(view).items() if name != "return"
    }
    headers = (
        [field.alias or name for name, field in models["header"].model_fields.items()] if "header" in models else []
    )

    @wraps(view)
    def parse_and_view(**path: str) -> Response:
        arguments: dict[str, BaseModel] = {}
        if "path" in models:
            arguments["path"] = models["path"].model_validate(path)
        if "header" in models:
            arguments["header"] = models["header"].model_validate({name: request.headers.get(name) for name in headers})
        if "query" in models:
            arguments["query"] = validate(models["query"], request.args.to_dict())
        if "body" in models:
            arguments["body"] = _body(models["body"])
        return view(**arguments)

    return parse_and_view


def _body(model: type[BaseModel]) -> BaseModel:
    """A large body is read in a thread: other requests must not wait for it."""
    limit = model.max_body_bytes if issubclass(model, StrictModel) else strict_json.MAX_BODY_BYTES
    received = strict_json.receive(request, limit)

    def read() -> BaseModel:
        return validate(model, strict_json.parse(received))

    if len(received) <= strict_json.MAX_BODY_BYTES:
        return read()
    body: BaseModel = services().offload(read)
    return body


def validate(model: type[BaseModel], value: Any) -> BaseModel:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=True)[0]
        field = ".".join(str(part) for part in first["loc"])[:100] or "body"
        raise InvalidRequest(_message(field, first), field.encode("ascii", "backslashreplace").decode()) from None


def _message(field: str, error: Any) -> str:
    """pydantic's reason, in words that begin with the field's name."""
    name = field[:1].upper() + field[1:]
    context = error.get("ctx", {})
    kind = error["type"]
    if kind in ("int_type", "int_parsing", "int_from_float"):
        return f"{name} must be an integer"
    if kind == "greater_than_equal":
        return f"{name} must be at least {context['ge']}"
    if kind == "less_than_equal":
        return f"{name} cannot exceed {context['le']}"
    if kind == "missing":
        return f"{name} is required"
    if kind == "extra_forbidden":
        return f"This request has no field {field}"
    if kind in ("too_long", "string_too_long"):
        things = "characters" if isinstance(error["input"], str) else "items"
        return f"{name} cannot have more than {context['max_length']} {things}"
    if kind in ("too_short", "string_too_short") and context["min_length"] == 1:
        return f"{name} must not be empty"
    if kind == "string_pattern_mismatch" and context["pattern"] == NOT_BLANK:
        return f"{name} must not be blank"
    if kind in ("model_type", "model_attributes_type") and field == "body":
        return "The body must be a JSON object"
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"
