"""Holding seats while a buyer decides or pays."""

from flask import Response
from pydantic import AliasPath, BaseModel, Field

from seating.domain import errors
from seating.redis_store.rate_limits import RateLimit
from seating.telemetry import metrics
from seating.web.application import Routes
from seating.web.callers import Access, caller, client_address, idempotency_key, open_to
from seating.web.declarations import OF_INVENTORY, refuses, sends
from seating.web.drafts import refuse_hidden_draft
from seating.web.orders import HoldChange, NewHold
from seating.web.outcomes import CountedOutcome
from seating.web.parsing import parsed
from seating.web.rate_limiting import Judged, measured
from seating.web.responses import render
from seating.web.schemas import IDEMPOTENCY_KEY, AsText, EventPath, Moment, SoldAsAnswer, example, examples
from seating.web.services import services

api = Routes("holds", __name__, "Holds", __doc__)


class HoldPath(EventPath):
    token: str = Field(description="the hold's token", json_schema_extra=example("q0Vd3mXK8sWcGx1bT5yZ2g"))


class HoldHeaders(BaseModel):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        description="optional: 1 to 255 visible ASCII characters, best a UUID, at least 16 without an API key; anyone "
        "who knows it can get the token",
        json_schema_extra=IDEMPOTENCY_KEY,
    )


class HoldAnswer(SoldAsAnswer):
    model_config = examples(
        {
            "holdToken": "q0Vd3mXK8sWcGx1bT5yZ2g",
            "quantity": 2,
            "seats": ["sec-1-row-A-seat-1", "sec-1-row-A-seat-2"],
            "expiresAt": "2026-05-01T10:10:00.000Z",
            "expiresInMs": 600000,
            "position": "217907169-42",
        }
    )

    hold_token: str = Field(validation_alias="token", description="a secret: anyone who knows it can buy the seats")
    quantity: int = Field(validation_alias=AliasPath("record", "quantity"))
    seats: list[str] = Field(description="seat ids, none in general admission")
    expires_at: Moment = Field(
        validation_alias=AliasPath("record", "until_ms"),
        description="RFC 3339, UTC: the seats are kept until then",
    )
    expires_in_ms: int = Field(
        validation_alias=AliasPath("record", "left_ms"),
        description="time left, for clients whose clock is wrong",
    )
    position: AsText = Field(
        validation_alias=AliasPath("record", "position"), description="`<epoch>-<seq>` in the event's log"
    )


@api.post("/api/v1/events/<event_id>/holds", responses={201: HoldAnswer})
@open_to(Access.BUYERS)
@refuses(
    *OF_INVENTORY,
    errors.BacklogFull,
    errors.BuyerLimit,
    errors.HoldExpired,
    errors.IdempotencyKeyReused,
    errors.InvalidIdempotencyKey,
    errors.MissingIdempotencyKey,
    errors.NotOpenYet,
    errors.NotTogether,
    errors.SeatNotFound,
    errors.SeatUnavailable,
    errors.SoldOut,
    errors.TooManyHeld,
)
@sends("Idempotent-Replayed")
@measured("holds")
@parsed
def hold_seats(limit: RateLimit | None, path: EventPath, header: HoldHeaders, body: NewHold) -> Judged:
    """Hold seats for a limited time

    Given seats, or the best for a quantity. Anyone who has the token can extend the hold, change it, release it or buy
    its seats. A repeated request with the same Idempotency-Key returns the current hold, and `HOLD_EXPIRED` once it has
    expired, or was released or bought; `HOLD_MAX_S` later the key makes a new hold.
    """
    who = caller()
    is_shop = who.role is not None
    holder = who.name if is_shop else f"address {client_address()}"
    with CountedOutcome(metrics.count_hold, "held") as counted:
        key = None if header.idempotency_key is None else idempotency_key(header.idempotency_key)
        order = body.order(is_shop=is_shop)
        refuse_hidden_draft(path.event_id)
        held = services().holds.hold(path.event_id, who.name, holder, key, order, is_shop=is_shop, limit=limit)
        if held.replayed:
            counted.outcome = "replayed"
    response = render(HoldAnswer.model_validate(held), 201)
    if held.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response, held.verdict


@api.get("/api/v1/events/<event_id>/holds/<token>", responses={200: HoldAnswer})
@open_to(Access.HOLDERS)
@refuses(*OF_INVENTORY, errors.HoldExpired)
@parsed
def get_hold(path: HoldPath) -> Response:
    """Get a hold"""
    refuse_hidden_draft(path.event_id)
    return render(HoldAnswer.model_validate(services().holds.get(path.event_id, path.token)))


@api.patch("/api/v1/events/<event_id>/holds/<token>", responses={200: HoldAnswer})
@open_to(Access.BUYERS)
@refuses(
    *OF_INVENTORY,
    errors.BacklogFull,
    errors.BuyerLimit,
    errors.HoldExpired,
    errors.NotOpenYet,
    errors.RolloutInProgress,
    errors.SeatNotFound,
    errors.SeatUnavailable,
    errors.TooManyHeld,
)
@measured("holds")
@parsed
def change_hold(limit: RateLimit | None, path: HoldPath, body: HoldChange) -> Judged:
    """Change the seats of a hold, or extend it

    `add` and `remove` change the seats in one step, all or nothing, and leave the expiry as it is. A seat to add that
    the hold already has, or to remove that it does not have, is ignored, so a request can be repeated. An empty body
    extends the hold: it lasts `HOLD_TTL_S` from now, but at most up to `HOLD_MAX_S` in total; see `expiresAt`. An
    extension by less than `HOLD_EXTEND_STEP_S` changes nothing.
    """
    holds = services().holds
    add, remove = body.seats()
    with CountedOutcome(metrics.count_hold, "changed" if add or remove else "extended"):
        refuse_hidden_draft(path.event_id)
        if add or remove:
            held = holds.change(path.event_id, path.token, add, remove, limit)
        else:
            held = holds.extend(path.event_id, path.token)
    return render(HoldAnswer.model_validate(held)), held.verdict


@api.delete("/api/v1/events/<event_id>/holds/<token>", responses={204: None})
@open_to(Access.BUYERS)
@refuses(*OF_INVENTORY, errors.BacklogFull, errors.HoldExpired)
@parsed
def release_hold(path: HoldPath) -> Response:
    """Release a hold"""
    with CountedOutcome(metrics.count_hold, "released"):
        refuse_hidden_draft(path.event_id)
        services().holds.release(path.event_id, path.token)
    return Response(status=204)
