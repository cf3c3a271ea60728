"""Buying seats, and reading and cancelling purchases."""

import re
import time
from typing import Final, Literal

from flask import Response
from flask_openapi3 import Tag
from pydantic import AliasPath, BaseModel, Field

from seating.domain.caller import ANONYMOUS, Role
from seating.domain.errors import (
    BacklogFull,
    BuyerLimit,
    EventNotFound,
    HoldExpired,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
    InvalidRequest,
    InventoryUnavailable,
    MissingIdempotencyKey,
    NotOpenYet,
    NotTogether,
    PurchaseNotFound,
    PurchaseQuarantined,
    RecordUnavailable,
    SeatingError,
    SeatNotFound,
    SeatUnavailable,
    SoldOut,
)
from seating.domain.purchase import MAX_QUANTITY, Order, PurchaseId, PurchaseState
from seating.redis_store.rate_limits import RateLimit
from seating.services.purchases import Bought
from seating.telemetry import metrics
from seating.web.actors import actor
from seating.web.application import Routes
from seating.web.callers import Access, caller, idempotency_key, open_to
from seating.web.declarations import OF_INVENTORY, refuses, sends
from seating.web.orders import DefaultPurchase, EventPurchase
from seating.web.parsing import parsed
from seating.web.rate_limiting import Judged, measured
from seating.web.request_log import note
from seating.web.responses import render, render_fields
from seating.web.schemas import (
    IDEMPOTENCY_KEY,
    Answer,
    AsText,
    EventPath,
    Moment,
    MomentOrNull,
    NextCursor,
    PageQuery,
    Reference,
    SoldAsAnswer,
    WhyInQuery,
    WhyQuery,
    example,
    examples,
    is_absent,
)
from seating.web.services import default_event, services

_LONGEST_WAIT_S: Final = 30
_WAIT: Final = re.compile(r'\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?', re.IGNORECASE)

api = Routes("purchases", __name__, abp_tags=[Tag(name="Purchases", description=__doc__)])
_OF_EACH_PURCHASE: Final = (
    *OF_INVENTORY,
    BacklogFull,
    BuyerLimit,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
    MissingIdempotencyKey,
    NotOpenYet,
    SoldOut,
)


class PurchasePath(BaseModel):
    purchase_id: str = Field(
        description="the purchase's id", json_schema_extra=example("demo.217907169-42.9f1c2b3a4d5e6f70")
    )


class PurchasePageQuery(PageQuery):
    cursor: int | None = Field(None, ge=1, le=10**14, description="`next` of the previous page")
    reference: Reference | None = Field(None, description="only purchases with this order number of the shop")


class CancelQuery(WhyQuery):
    why: WhyInQuery | None = Field(
        None, description="the reason, for the audit log and for anyone who reads the purchase"
    )
    seats: str = Field(
        "",
        min_length=1,
        max_length=MAX_QUANTITY * 256,
        description="ids of the seats to cancel, with commas between them",
        json_schema_extra=example("sec-1-row-A-seat-1,sec-1-row-A-seat-2"),
    )
    quantity: int | None = Field(
        None, ge=1, le=MAX_QUANTITY, description="in general admission: number of places to be cancelled in total"
    )


class PurchaseHeaders(BaseModel):
    idempotency_key: str | None = Field(
        alias="Idempotency-Key",
        description="1 to 255 visible ASCII characters, best a UUID, at least 16 without an API key; anyone who knows "
        "it can read the response",
        json_schema_extra=IDEMPOTENCY_KEY,
    )
    prefer: str | None = Field(
        None,
        alias="Prefer",
        description="`wait=<seconds, at most 30>`: answer when SQL has the purchase (RFC 7240)",
        json_schema_extra=example("wait=5"),
    )


class PurchaseAnswer(SoldAsAnswer):
    model_config = examples(
        {
            "success": True,
            "seatsRemaining": 4848,
            "purchaseId": "demo.217907169-42.9f1c2b3a4d5e6f70",
            "eventId": "demo",
            "quantity": 2,
            "seats": ["sec-1-row-A-seat-1", "sec-1-row-A-seat-2"],
            "position": "217907169-42",
        },
        {
            "success": True,
            "seatsRemaining": 996,
            "purchaseId": "q2x7mzk4vd.217907169-43.1b5d0c9e8f7a6b32",
            "eventId": "q2x7mzk4vd",
            "quantity": 2,
            "seats": [],
            "position": "217907169-43",
            "categories": ["Floor", "Floor"],
            "prices": [6900, 6900],
            "total": 13800,
            "currency": "EUR",
        },
    )

    success: Literal[True] = True
    seats_remaining: int = Field(description="after this purchase")
    purchase_id: str
    event_id: str
    quantity: int
    seats: list[str] = Field(description="seat ids, none in general admission")
    position: str = Field(description="`<epoch>-<seq>` in the event's log")


_PURCHASE: Final = {
    "purchaseId": "demo.217907169-42.9f1c2b3a4d5e6f70",
    "eventId": "demo",
    "state": "persisted",
    "quantity": 2,
    "seats": ["sec-1-row-A-seat-1", "sec-1-row-A-seat-2"],
    "reference": None,
    "position": "217907169-42",
    "purchasedAt": "2026-05-01T10:00:00.000Z",
    "cancelledAt": "2026-05-02T09:30:00.000Z",
    "cancelledWhy": "one friend is ill",
    "cancelledQuantity": 1,
    "cancelledSeats": ["sec-1-row-A-seat-2"],
}


class PurchaseView(SoldAsAnswer):
    model_config = examples(_PURCHASE)

    purchase_id: AsText = Field(validation_alias="id")
    event_id: str = Field(validation_alias=AliasPath("id", "event_id"))
    state: PurchaseState
    quantity: int = Field(description="as it was bought")
    seats: list[str] = Field(description="as they were bought")
    reference: str | None = Field(validation_alias=AliasPath("personal", "reference"))
    position: AsText = Field(validation_alias=AliasPath("id", "position"))
    purchased_at: Moment = Field(validation_alias="at_ms")
    cancelled_at: MomentOrNull = Field(
        validation_alias="cancelled_ms", description="when seats of it were last cancelled; null if never"
    )
    cancelled_why: str | None = Field(
        validation_alias="why", description="the operator's reason, once the cancellation is in SQL"
    )
    cancelled_quantity: int = Field(
        description="number of its seats or places that are cancelled; all if `state` is `cancelled`"
    )
    cancelled_seats: list[str] = Field(description="ids of its cancelled seats")
    cancelled_total: int | None = Field(
        exclude_if=is_absent, description="their total price, in minor units; only for an event with prices"
    )


class OrderView(PurchaseView):
    """A purchase with the fields that only its shop, readers and operators see."""

    model_config = examples(_PURCHASE | {"buyer": "c-2077", "note": "picks up at the door"})

    buyer: str | None = Field(
        validation_alias=AliasPath("personal", "buyer"), description="the shop's own id of its customer"
    )
    note: str | None = Field(validation_alias=AliasPath("personal", "note"))


class PurchaseListView(Answer):
    purchases: list[OrderView] = Field(validation_alias="items")
    next: NextCursor


@api.post("/api/v1/purchase", responses={200: PurchaseAnswer})
@open_to(Access.BUYERS)
@refuses(*_OF_EACH_PURCHASE)
@sends("Idempotent-Replayed", "Preference-Applied")
@measured("sale")
@parsed
def buy_seats_of_default_event(limit: RateLimit | None, header: PurchaseHeaders, body: DefaultPurchase) -> Judged:
    """Buy seats of the default event

    A repeated request with the same Idempotency-Key gets the first response again, byte for byte.
    """
    return _buy(default_event(), header, body.order(), limit)


@api.post("/api/v1/events/<event_id>/purchases", responses={200: PurchaseAnswer})
@open_to(Access.BUYERS)
@refuses(*_OF_EACH_PURCHASE, HoldExpired, NotTogether, SeatNotFound, SeatUnavailable)
@sends("Idempotent-Replayed", "Preference-Applied")
@measured("sale")
@parsed
def buy_seats(limit: RateLimit | None, path: EventPath, header: PurchaseHeaders, body: EventPurchase) -> Judged:
    """Buy seats of an event

    A quantity, given seats, or the seats of a hold. In a seated event, a quantity gets adjacent seats in the best row
    that has them, or else the best split.
    """
    return _buy(path.event_id, header, body.order(), limit)


@api.get("/api/v1/purchases/<purchase_id>", responses={200: PurchaseView})
@open_to(Access.ANYBODY)
@refuses(PurchaseNotFound, RecordUnavailable, InventoryUnavailable)
@parsed
def get_purchase(path: PurchasePath) -> Response:
    """Get a purchase

    `accepted`: sold, and durable in the log. `persisted`: in SQL too. `quarantined`: sold, but SQL refused its row,
    which waits for the operator. `cancelled`: the operator cancelled all of it; for partial cancellations see the
    `cancelled…` fields.
    """
    return render(PurchaseView.model_validate(services().purchases.get(_noted(path))))


@api.delete("/api/v1/purchases/<purchase_id>", responses={200: PurchaseView})
@open_to(Access.OPERATORS)
@refuses(PurchaseNotFound, PurchaseQuarantined, SeatNotFound, RecordUnavailable, InventoryUnavailable, BacklogFull)
@parsed
def cancel_purchase(path: PurchasePath, query: CancelQuery) -> Response:
    """Cancel a purchase or a part of it

    Its seats return once: a repeated request gets the same response and changes nothing. That is true of a part too,
    because `seats` and `quantity` say what is to be cancelled in total, not in addition. A purchase can be cancelled
    as long as it is on record, even long after the event.
    """
    purchase_id = _noted(path)
    cancelled = services().purchases.cancel(purchase_id, actor(query.why), query.seats, query.quantity)
    return render(PurchaseView.model_validate(cancelled))


@api.get("/api/v1/events/<event_id>/purchases", responses={200: PurchaseListView})
@open_to(Access.SHOPS)
@refuses(EventNotFound, InventoryUnavailable, RecordUnavailable)
@parsed
def list_purchases(path: EventPath, query: PurchasePageQuery) -> Response:
    """List an event's purchases, newest first

    As recorded in SQL. With a `reference`, also purchases that SQL does not have yet, if they are among the newest
    2,000 entries of the log. A key with the role `sell` sees only purchases made with keys of its name.
    """
    who = caller()
    own = who.name if who.role is Role.SELL else None
    page = services().purchases.page(path.event_id, query.cursor, query.limit, query.reference, own)
    return render(PurchaseListView.model_validate(page))


def _buy(event_id: str, header: PurchaseHeaders, order: Order, limit: RateLimit | None) -> Judged:
    started = time.perf_counter()
    outcome = "failed"
    try:
        key = idempotency_key(header.idempotency_key)
        if order.buyer is not None and caller() == ANONYMOUS:
            raise InvalidRequest("Buyer is believed only with a shop's key", "buyer")
        wait_s = _preferred_wait_s(header.prefer)
        bought = services().purchases.buy(event_id, caller().name, key, order, wait_s, limit)
        outcome = "replayed" if bought.replayed else "sold"
    except SeatingError as error:
        outcome = error.code.lower()
        raise
    finally:
        metrics.count_purchase(outcome, time.perf_counter() - started)
    note(purchase_id=str(bought.receipt.id), outcome=outcome)
    response = _accepted(bought)
    if bought.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    if bought.recorded:
        note(persisted=True)
        response.headers["Preference-Applied"] = "wait"
    return response, bought.verdict


def _noted(path: PurchasePath) -> PurchaseId:
    """Return the purchase's id, which the log line of the request then has. Raises PurchaseNotFound."""
    purchase_id = PurchaseId.parse(path.purchase_id)
    note(event_id=purchase_id.event_id, purchase_id=str(purchase_id))
    return purchase_id


def _accepted(bought: Bought) -> Response:
    """Render a PurchaseAnswer."""
    receipt, sold_as = bought.receipt, bought.sold_as
    said = sold_as._asdict() if sold_as else {}
    return render_fields(
        {
            "success": True,
            "seatsRemaining": receipt.left,
            "purchaseId": str(receipt.id),
            "eventId": receipt.id.event_id,
            "quantity": receipt.quantity,
            "seats": bought.seats,
            "position": str(receipt.id.position),
            **{name: value for name, value in said.items() if value is not None},
        }
    )


def _preferred_wait_s(header: str | None) -> int:
    """The seconds of `wait` in a `Prefer` header (RFC 7240), at most 30, 0 without; other preferences are ignored."""
    for preference in (header or "").split(","):
        if match := _WAIT.fullmatch(preference):
            return min(int(match[1]), _LONGEST_WAIT_S)
    return 0
