"""Holding seats while a buyer decides or pays."""

from flask import Response, request
from flask_openapi3 import Tag
from pydantic import AliasPath, BaseModel, Field

from seating.domain.errors import (
    BacklogFull,
    HoldExpired,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
    MissingIdempotencyKey,
    NotTogether,
    SeatNotFound,
    SeatUnavailable,
    SoldOut,
    TooManyHeld,
)
from seating.domain.idempotency import parse_key
from seating.web.application import Routes
from seating.web.callers import Access, caller, open_to
from seating.web.client_address import caller_address
from seating.web.declarations import OF_INVENTORY, refuses, sends
from seating.web.orders import NewHold
from seating.web.parsing import parsed
from seating.web.responses import render
from seating.web.schemas import IDEMPOTENCY_KEY, AsText, EventPath, Moment, SoldAsAnswer, example, examples
from seating.web.services import services, settings

api = Routes("holds", __name__, abp_tags=[Tag(name="Holds", description=__doc__)])


class HoldPath(EventPath):
    token: str = Field(description="the hold's token", json_schema_extra=example("q0Vd3mXK8sWcGx1bT5yZ2g"))


class HoldHeaders(BaseModel):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        description="optional: 1 to 255 visible ASCII characters, best a UUID; whoever knows it can learn the token",
        json_schema_extra=IDEMPOTENCY_KEY,
    )


class HoldAnswer(SoldAsAnswer):
    model_config = examples(
        {
            "holdToken": "q0Vd3mXK8sWcGx1bT5yZ2g",
            "quantity": 2,
            "seats": ["sec-1-row-A-seat-1", "sec-1-row-A-seat-2"],
            "expiresAt": "2026-05-01T10:10:00.000Z",
            "position": "217907169-42",
        }
    )

    hold_token: str = Field(validation_alias="token", description="a secret: whoever knows it may buy the seats")
    quantity: int = Field(validation_alias=AliasPath("record", "quantity"))
    seats: list[str] = Field(description="seat ids, none in general admission")
    expires_at: Moment = Field(
        validation_alias=AliasPath("record", "until_ms"),
        description="RFC 3339, UTC: the seats are kept until then",
    )
    position: AsText = Field(
        validation_alias=AliasPath("record", "position"), description="`<epoch>-<seq>` in the event's log"
    )


@api.post("/api/v1/events/<event_id>/holds", responses={201: HoldAnswer})
@open_to(Access.BUYERS)
@refuses(
    *OF_INVENTORY,
    BacklogFull,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
    MissingIdempotencyKey,
    NotTogether,
    SeatNotFound,
    SeatUnavailable,
    SoldOut,
    TooManyHeld,
)
@sends("Idempotent-Replayed")
@parsed
def hold_seats(path: EventPath, header: HoldHeaders, body: NewHold) -> Response:
    """Hold seats for a while

    Those given, or the best for a quantity. Whoever has the token may extend the hold, give it back or buy its seats.
    """
    key = None if header.idempotency_key is None else parse_key(header.idempotency_key)
    who = caller()
    holder = who.name if who.role else f"address {caller_address(request, settings().proxy_networks)}"
    held = services().holds.hold(path.event_id, who.name, holder, key, body.order(), is_shop=who.role is not None)
    response = render(HoldAnswer.model_validate(held), 201)
    if held.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@api.patch("/api/v1/events/<event_id>/holds/<token>", responses={200: HoldAnswer})
@open_to(Access.BUYERS)
@refuses(*OF_INVENTORY, BacklogFull, HoldExpired)
@parsed
def extend_hold(path: HoldPath) -> Response:
    """Hold the same seats for longer

    For as long again from now on, up to a longest time altogether; `expiresAt` says until when.
    """
    return render(HoldAnswer.model_validate(services().holds.extend(path.event_id, path.token)))


@api.delete("/api/v1/events/<event_id>/holds/<token>", responses={204: None})
@open_to(Access.BUYERS)
@refuses(*OF_INVENTORY, BacklogFull, HoldExpired)
@parsed
def release_hold(path: HoldPath) -> Response:
    """Give the seats of a hold back"""
    services().holds.release(path.event_id, path.token)
    return Response(status=204)
