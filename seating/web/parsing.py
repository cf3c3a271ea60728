"""Parses the models that a view declares in its signature (`body`, `query`, `header`, `path`)."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, Final, TypeVar, get_type_hints

from flask import Request
from flask.globals import request_ctx
from pydantic import BaseModel, ConfigDict, ValidationError

from seating.domain.errors import InvalidRequest
from seating.web import strict_json
from seating.web.services import services

NOT_BLANK: Final = r"\S"
"""A pattern for names."""

_CHUNKED: Final = "HTTP_TRANSFER_ENCODING"

_Result = TypeVar("_Result")
_Model = TypeVar("_Model", bound=BaseModel)


class StrictModel(BaseModel):
    """A body of exactly the declared fields, each of exactly its type."""

    max_body_bytes: ClassVar[int] = strict_json.MAX_BODY_BYTES
    has_a_file: ClassVar[bool] = False
    """Whether the body is made of a file that people save with editors, which may put a byte-order mark before it."""
    may_be_absent: ClassVar[bool] = False
    """Whether no body is as good as an empty object."""

    model_config = ConfigDict(extra="forbid", strict=True)


def parsed(view: Callable[..., _Result]) -> Callable[..., _Result]:
    """Pass the view the models in its signature. Raises InvalidRequest naming the first invalid field.

    Positional arguments are passed on before the models.
    `header` is not validated here, and `path` raises what its model raises: both have their own rules and errors.
    """
    # Once, when the view is defined: flask-openapi3 would build a model's schema again in each request.
    models: dict[str, type[BaseModel]] = {
        name: model for name, model in get_type_hints(view).items() if name != "return"
    }
    path_model, query_model, body_model = (models.get(name) for name in ("path", "query", "body"))
    header_model = models.get("header")
    headers = _fields_of_environ(header_model) if header_model else {}

    @wraps(view)
    def parse_and_view(*given: object, **path: str) -> _Result:
        asked = request_ctx.request
        arguments: dict[str, BaseModel] = {}
        if path_model:
            arguments["path"] = path_model.model_validate(path)
        if header_model:
            arguments["header"] = header_model.model_validate(
                {name: asked.environ.get(field) for name, field in headers.items()}
            )
        if query_model:
            arguments["query"] = validate(query_model, asked.args.to_dict())
        if body_model:
            arguments["body"] = _body(asked, body_model)
        return view(*given, **arguments)

    return parse_and_view


def _fields_of_environ(model: type[BaseModel]) -> dict[str, str]:
    """Return the WSGI name of each header of `model`, by field name."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return {name: f"HTTP_{name.upper().replace('-', '_')}" for name in names}


def _body(asked: Request, model: type[BaseModel]) -> BaseModel:
    """Parse the body. A large one is parsed in a thread, so that other requests do not wait."""
    if getattr(model, "may_be_absent", False) and not (asked.content_length or asked.environ.get(_CHUNKED)):
        return model()
    limit = getattr(model, "max_body_bytes", strict_json.MAX_BODY_BYTES)
    of_a_file = getattr(model, "has_a_file", False)
    received = strict_json.receive(asked, limit)
    if len(received) <= strict_json.MAX_BODY_BYTES:
        return validate(model, strict_json.parse(received, of_a_file=of_a_file))
    body: BaseModel = services().offload(lambda: validate(model, strict_json.parse(received, of_a_file=of_a_file)))
    return body


def validate(model: type[_Model], value: Any) -> _Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=True)[0]
        field = ".".join(str(part) for part in first["loc"])[:100] or "body"
        raise InvalidRequest(_message(field, first), field.encode("ascii", "backslashreplace").decode()) from None


def _message(field: str, error: Any) -> str:
    """Return pydantic's reason as a sentence that begins with the field's name."""
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
