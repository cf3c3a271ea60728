"""Buying, reading a purchase again, and taking it back."""

import time

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from seating.domain.errors import SeatingError
from seating.domain.idempotency import parse_key
from seating.domain.purchase import Order, PurchaseId
from seating.services.purchases import Bought, Purchase
from seating.telemetry import metrics
from seating.web import preferences
from seating.web.answers import render, rfc3339
from seating.web.operator_token import SECURITY, caller, operators_only
from seating.web.parsing import parsed
from seating.web.rate_limiting import limit_of_request, measured
from seating.web.schemas import (
    DefaultPurchase,
    EventPath,
    PurchaseAnswer,
    PurchaseHeaders,
    PurchaseListView,
    PurchasePageQuery,
    PurchasePath,
    PurchaseView,
    problems,
)
from seating.web.seat_schemas import EventPurchase
from seating.web.services import services, settings

api = APIBlueprint("purchases", __name__, abp_tags=[Tag(name="Purchases", description=__doc__)])
_REFUSALS = problems(400, 404, 408, 409, 413, 415, 422, 429, 503)


@api.post("/api/v1/purchase", responses={200: PurchaseAnswer, **_REFUSALS})
@measured("sale")
@parsed
def buy_on_default_event(header: PurchaseHeaders, body: DefaultPurchase) -> Response:
    """Buy seats of the default event

    A repetition with the same Idempotency-Key gets the first answer again, byte for byte.
    """
    return _buy(settings().default_event, header, Order(body.quantity))


@api.post("/api/v1/events/<event_id>/purchases", responses={200: PurchaseAnswer, **_REFUSALS})
@measured("sale")
@parsed
def buy(path: EventPath, header: PurchaseHeaders, body: EventPurchase) -> Response:
    """Buy seats of an event

    A quantity of them, given ones, or those of a hold. Of a seated event, a quantity means neighbours in the best row
    that has them, or else the best split.
    """
    return _buy(path.event_id, header, body.order())


@api.get("/api/v1/purchases/<purchase_id>", responses={200: PurchaseView, **problems(404, 503)})
@parsed
def get_purchase(path: PurchasePath) -> Response:
    """A purchase as it stands

    `accepted`: sold, and durable in the log. `persisted`: in SQL too. `quarantined`: sold, but SQL refused its row,
    which waits for the operator. `cancelled`: taken back by the operator.
    """
    return render(_view(services().purchases.get(PurchaseId.parse(path.purchase_id))))


@api.delete(
    "/api/v1/purchases/<purchase_id>", responses={200: PurchaseView, **problems(401, 404, 409, 503)}, security=SECURITY
)
@operators_only
@parsed
def cancel_purchase(path: PurchasePath) -> Response:
    """Take a purchase back

    Its seats return, once: repeated, the answer is the same and nothing changes.
    """
    return render(_view(services().purchases.cancel(PurchaseId.parse(path.purchase_id))))


@api.get(
    "/api/v1/events/<event_id>/purchases",
    responses={200: PurchaseListView, **problems(400, 401, 404, 503)},
    security=SECURITY,
)
@operators_only
@parsed
def list_purchases(path: EventPath, query: PurchasePageQuery) -> Response:
    """An event's purchases as SQL has them, newest first"""
    page = services().purchases.page(path.event_id, query.cursor, query.limit, query.reference)
    next_cursor = None if page.next_seq is None else str(page.next_seq)
    return render(PurchaseListView(purchases=[_view(purchase) for purchase in page.purchases], next=next_cursor))


def _view(purchase: Purchase) -> PurchaseView:
    return PurchaseView(
        purchase_id=str(purchase.id),
        event_id=purchase.id.event_id,
        state=purchase.state,
        quantity=purchase.quantity,
        seats=purchase.seats,
        reference=purchase.reference,
        position=str(purchase.id.position),
        purchased_at=rfc3339(purchase.at_ms),
    )


def _buy(event_id: str, header: PurchaseHeaders, order: Order) -> Response:
    started = time.perf_counter()
    outcome = "failed"
    try:
        key = parse_key(header.idempotency_key)
        wait_s = preferences.wait_s(header.prefer)
        bought = services().purchases.buy(event_id, caller(), key, order, wait_s, limit_of_request())
        outcome = "replayed" if bought.replayed else "sold"
    except SeatingError as error:
        outcome = error.code.lower()
        raise
    finally:
        metrics.count_purchase(outcome, time.perf_counter() - started)
    return _answer(bought)


def _answer(bought: Bought) -> Response:
    receipt = bought.receipt
    response = render(
        PurchaseAnswer(
            seats_remaining=receipt.left,
            purchase_id=str(receipt.id),
            event_id=receipt.id.event_id,
            quantity=receipt.quantity,
            seats=bought.seats,
            position=str(receipt.id.position),
        )
    )
    if bought.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    if bought.recorded:
        response.headers["Preference-Applied"] = "wait"
    return response
