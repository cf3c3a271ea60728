"""What requests and answers of several routes have in common, as the OpenAPI document shows them."""

import re
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, AliasGenerator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from seating.domain.actor import MAX_WHY, parse_why
from seating.domain.event import parse_event_id
from seating.domain.timestamps import rfc3339

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PRINTABLE: Final = {"pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not have control characters")
    return text


Line = Annotated[str, AfterValidator(_printable), Field(json_schema_extra=_PRINTABLE)]
Reference = Annotated[Line, Field(min_length=1, max_length=64)]
Buyer = Annotated[
    Line, Field(min_length=1, max_length=64, description="the shop's own id of its customer; from a shop's key only")
]
Why = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_WHY,
        description="the operator's reason, for the audit log",
        json_schema_extra=_PRINTABLE,
    ),
    AfterValidator(parse_why),
]


def examples(*values: Any, more: dict[str, Any] | None = None, **schema: Any) -> ConfigDict:
    """Of a body, as JSON; the first one is shown of what contains it too.

    `more` are its other media types, `schema` is what the model alone does not say.
    """
    # flask-openapi3 would drop `examples`, which the document has in the end.
    extra = {"example": list(values), **schema}
    return cast(ConfigDict, {"json_schema_extra": extra, "openapi_extra": {"content": more or {}}})


def example(value: str, **schema: Any) -> dict[str, Any]:
    """Of a parameter, as `json_schema_extra`, with what its type alone does not say."""
    return {"example": value, **schema}


IDEMPOTENCY_KEY: Final = example("7d8f7c52-6a0f-4d3e-9c39-0f1c9a4c2b11", pattern="^[!-~]{1,255}$")


class EventPath(BaseModel):
    event_id: Annotated[str, AfterValidator(parse_event_id)] = Field(
        description="the event's id", json_schema_extra=example("demo")
    )


class WhyQuery(BaseModel):
    """Of an operator's route that has no body."""

    model_config = ConfigDict(extra="forbid")

    why: Why | None = None


class PageQuery(BaseModel):
    """Those of a route add its `cursor`."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=200, description="how many a page has")


class Answer(BaseModel):
    """What answers have in common: made of what a service returned, camelCase names, in the order of the fields."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(serialization_alias=to_camel), from_attributes=True, frozen=True
    )


AsText = Annotated[str, BeforeValidator(str)]
"""Of a position or an id."""

Moment = Annotated[str, BeforeValidator(rfc3339), Field(description="RFC 3339, UTC")]
"""Of ms since 1970."""

NextCursor = Annotated[
    str | None,
    BeforeValidator(lambda cursor: None if cursor is None else str(cursor)),
    Field(description="`cursor` of the next page, null on the last one"),
]


class Problem(BaseModel):
    """RFC 9457 problem details. Some errors have further fields, such as `seatsRemaining`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str = Field(description="for people")
    error: str = Field(description="for older clients: the code, or words of its own")
    code: str
    message: str = Field(description="as `detail`, for older clients")
    request_id: str | None = Field(alias="requestId", description="as in the header `X-Request-Id`")
    field: str = Field("", description="of `VALIDATION_ERROR`: what is wrong, in a body with its path")
