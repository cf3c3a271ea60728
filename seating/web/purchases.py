"""Buying seats, and reading and cancelling purchases."""

import re
from typing import Final

from flask import Response
from pydantic import BaseModel, Field

from seating.domain import errors
from seating.domain.caller import ANONYMOUS, Role
from seating.domain.purchase import MAX_QUANTITY, Order, PurchaseId
from seating.domain.recovery_errors import PurchaseQuarantined
from seating.redis_store.rate_limits import RateLimit
from seating.services.purchases import AcceptedPurchase
from seating.telemetry import metrics
from seating.web.application import Routes
from seating.web.callers import Access, actor, caller, idempotency_key, open_to
from seating.web.declarations import OF_INVENTORY, refuses, sends
from seating.web.drafts import refuse_hidden_draft
from seating.web.orders import DefaultPurchase, EventPurchase
from seating.web.outcomes import CountedOutcome
from seating.web.parsing import parsed
from seating.web.purchase_views import PurchaseAnswer, PurchaseListView, PurchaseView, seen_by
from seating.web.rate_limiting import Judged, measured
from seating.web.request_log import note
from seating.web.responses import render, render_fields
from seating.web.schemas import (
    IDEMPOTENCY_KEY,
    EventPath,
    PageQuery,
    Reference,
    WhyInQuery,
    WhyQuery,
    example,
)
from seating.web.services import default_event, services

_LONGEST_WAIT_S: Final = 30
_WAIT: Final = re.compile(r'\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?', re.IGNORECASE)

api = Routes("purchases", __name__, "Purchases", __doc__)
_OF_EACH_PURCHASE: Final = (
    *OF_INVENTORY,
    errors.BacklogFull,
    errors.BuyerLimit,
    errors.IdempotencyKeyReused,
    errors.InvalidIdempotencyKey,
    errors.MissingIdempotencyKey,
    errors.NotOpenYet,
    errors.SoldOut,
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
@refuses(*_OF_EACH_PURCHASE, errors.HoldExpired, errors.NotTogether, errors.SeatNotFound, errors.SeatUnavailable)
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
@open_to(Access.HOLDERS)
@refuses(errors.PurchaseNotFound, errors.RecordUnavailable, errors.InventoryUnavailable)
@parsed
def get_purchase(path: PurchasePath) -> Response:
    """Get a purchase

    `accepted`: sold, and durable in the log. `persisted`: in SQL too. `quarantined`: set aside. SQL refused its row,
    and its seats stay sold; or its history was lost, and it has no seats unless an operator sells them again; settling
    that loss does not change the state. `cancelled`: the operator cancelled all of it; for partial cancellations see
    the `cancelled…` fields.

    The id ends with 64 random bits, so it is enough to read a purchase. One that was made with a key has no `reference`
    without a key, and does not exist for another shop; its shop, readers and operators also get `buyer` and `note`.
    """
    return render(seen_by(caller(), services().purchases.get(_noted(path))))


@api.delete("/api/v1/purchases/<purchase_id>", responses={200: PurchaseView})
@open_to(Access.OPERATORS)
@refuses(
    errors.PurchaseNotFound,
    PurchaseQuarantined,
    errors.SeatNotFound,
    errors.RecordUnavailable,
    errors.InventoryUnavailable,
    errors.BacklogFull,
)
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
@refuses(errors.EventNotFound, errors.InventoryUnavailable, errors.RecordUnavailable)
@parsed
def list_purchases(path: EventPath, query: PurchasePageQuery) -> Response:
    """List an event's purchases, newest first

    As recorded in SQL. With a `reference`, also purchases in quarantine, and those that SQL does not have yet, if they
    are among the newest 2,000 entries of the log. A key with the role `sell` sees only purchases made with keys of its
    name.
    """
    who = caller()
    own = who.name if who.role is Role.SELL else None
    page = services().purchase_lists.page(path.event_id, query.cursor, query.limit, query.reference, own)
    if not page.items:  # A draft has no purchases; a list of some is read without Redis.
        refuse_hidden_draft(path.event_id)
    return render(PurchaseListView.model_validate(page))


def _buy(event_id: str, header: PurchaseHeaders, order: Order, limit: RateLimit | None) -> Judged:
    wait_s = _preferred_wait_s(header.prefer)
    # A buyer who waits for SQL is not kept waiting.
    with CountedOutcome(metrics.count_purchase, "sold", timed=not wait_s) as counted:
        key = idempotency_key(header.idempotency_key)
        if order.buyer is not None and caller() == ANONYMOUS:
            raise errors.InvalidRequest("Buyer is believed only with a shop's key", "buyer")
        refuse_hidden_draft(event_id)
        bought = services().purchases.buy(event_id, caller().name, key, order, wait_s, limit)
        if bought.replayed:
            counted.outcome = "replayed"
    note(purchase_id=str(bought.receipt.id), outcome=counted.outcome)
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


def _accepted(bought: AcceptedPurchase) -> Response:
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
