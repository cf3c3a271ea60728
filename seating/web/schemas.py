"""Schemas that several routes share, with their descriptions for the OpenAPI document."""

import re
from typing import Annotated, Any, Final, cast

from pydantic import (
    AfterValidator,
    AliasGenerator,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from seating.domain.actor import MAX_WHY, parse_why
from seating.domain.event import parse_event_id
from seating.domain.personal_data import MAX_BUYER, MAX_NOTE, MAX_REFERENCE
from seating.domain.timestamps import parse_rfc3339, rfc3339

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PRINTABLE: Final = {"pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not have control characters")
    return text


Line = Annotated[str, AfterValidator(_printable), Field(json_schema_extra=_PRINTABLE)]
Buyer = Annotated[Line, Field(min_length=1, max_length=MAX_BUYER)]
Reference = Annotated[Line, Field(min_length=1, max_length=MAX_REFERENCE)]
Note = Annotated[Line, Field(min_length=1, max_length=MAX_NOTE)]
_Reason = Annotated[
    str,
    Field(min_length=1, description="the operator's reason, for the audit log", json_schema_extra=_PRINTABLE),
]
Why = Annotated[_Reason, Field(max_length=MAX_WHY), AfterValidator(parse_why)]


def examples(*values: Any, more: dict[str, Any] | None = None, **schema: Any) -> ConfigDict:
    """Return a body model's config with JSON examples; the first is also shown in bodies that contain it.

    `more` are its other media types; `schema` adds what the model does not declare.
    """
    # flask-openapi3 drops `examples`, so the document gets them later.
    extra = {"example": list(values), **schema}
    return cast(ConfigDict, {"json_schema_extra": extra, "openapi_extra": {"content": more or {}}})


def example(value: str, **schema: Any) -> dict[str, Any]:
    """Return a parameter's example as `json_schema_extra`, with what its type does not declare."""
    return {"example": value, **schema}


def without_default(schema: dict[str, Any]) -> None:
    """Remove the default of a field that may be absent."""
    schema.pop("default")


IDEMPOTENCY_KEY: Final = example("7d8f7c52-6a0f-4d3e-9c39-0f1c9a4c2b11", pattern="^[!-~]{1,255}$")


class EventPath(BaseModel):
    event_id: Annotated[str, AfterValidator(parse_event_id)] = Field(
        description="the event's id", json_schema_extra=example("demo")
    )


# A character takes up to 12 bytes of the request line, which has at most 4,094 (gunicorn.conf.py).
WhyInQuery = Annotated[_Reason, Field(max_length=300), AfterValidator(parse_why)]


class WhyQuery(BaseModel):
    """The query of an operator's route without a body."""

    model_config = ConfigDict(extra="forbid")

    why: WhyInQuery | None = None


class PageQuery(BaseModel):
    """Each route's own model adds its `cursor`."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=200, description="size of a page")


class OffsetQuery(PageQuery):
    """A page of a short list, by offset."""

    cursor: int = Field(0, ge=0, le=10**9, description="`next` of the previous page")


class Answer(BaseModel):
    """Base of responses: built from a service's result, with camelCase names, in the order of the fields."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(serialization_alias=to_camel), from_attributes=True, frozen=True
    )


def is_absent(value: object) -> bool:
    """For `exclude_if` of fields that only some answers have."""
    return value is None


class SoldAsAnswer(Answer):
    """An answer about seats. What they were sold as is only there for an event with categories."""

    categories: list[str] | None = Field(
        None,
        validation_alias=AliasPath("sold_as", "categories"),
        exclude_if=is_absent,
        description="the category of each seat or place",
    )
    prices: list[int | None] | None = Field(
        None,
        validation_alias=AliasPath("sold_as", "prices"),
        exclude_if=is_absent,
        description="of each seat or place, in minor units",
    )
    total: int | None = Field(
        None, validation_alias=AliasPath("sold_as", "total"), exclude_if=is_absent, description="in minor units"
    )
    currency: str | None = Field(
        None, validation_alias=AliasPath("sold_as", "currency"), exclude_if=is_absent, description="ISO 4217"
    )


AsText = Annotated[str, BeforeValidator(str)]
"""A position or an id, as text."""

Moment = Annotated[str, BeforeValidator(rfc3339), Field(description="RFC 3339, UTC")]
"""Built from ms since 1970."""

MomentOrNull = Annotated[
    str | None,
    BeforeValidator(lambda at_ms: None if at_ms is None else rfc3339(at_ms)),
    Field(description="RFC 3339, UTC"),
]


def _moment_ms(value: Any) -> int:
    if not isinstance(value, str):
        # pydantic passes on a TypeError, which would be a 500.
        raise ValueError("must be a text")  # noqa: TRY004
    return parse_rfc3339(value)


GivenMoment = Annotated[int, BeforeValidator(_moment_ms), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An RFC 3339 text with any offset, as ms since 1970."""

NextCursor = Annotated[
    str | None,
    BeforeValidator(lambda cursor: None if cursor is None else str(cursor)),
    Field(description="`cursor` of the next page, null on the last one"),
]


class Fault(BaseModel):
    """One of several things that are wrong with what was sent."""

    path: str
    value: Any = Field(description="null if it is missing or has parts")
    message: str
    suggestion: str | None = Field(description="what would be right")


class Problem(BaseModel):
    """RFC 9457 problem details. Some errors have further fields, such as `seatsRemaining`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str = Field(description="for people")
    error: str = Field(description="for older clients: the code, or a fixed text")
    code: str
    message: str = Field(description="as `detail`, for older clients")
    request_id: str | None = Field(alias="requestId", description="as in the header `X-Request-Id`")
    field: str = Field("", description="for `VALIDATION_ERROR`: the invalid field; in a body, its path")
    errors: list[Fault] = Field([], description="for `VALIDATION_ERROR` of a seating plan: its faults, at most 100")
    errors_total: int = Field(0, alias="errorsTotal", description="number of faults, listed or not")
    opens_at: str = Field(
        "",
        alias="opensAt",
        description="for `NOT_ON_SALE` before the sale opens: when it does, RFC 3339, UTC; also in `Retry-After`",
        json_schema_extra=without_default,
    )
    left: int = Field(
        0,
        description="for `BUYER_LIMIT`: number of seats that this buyer may still buy",
        json_schema_extra=without_default,
    )
