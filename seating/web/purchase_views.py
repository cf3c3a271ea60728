"""What answers show of a purchase, and to whom."""

from typing import Final, Literal

from pydantic import AliasPath, Field

from seating.domain.caller import ANONYMOUS, Caller, Role
from seating.domain.errors import PurchaseNotFound
from seating.domain.personal_data import PersonalData
from seating.domain.purchase import Purchase, PurchaseState
from seating.web.schemas import Answer, AsText, Moment, MomentOrNull, NextCursor, SoldAsAnswer, examples, is_absent


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
    reference: str | None = Field(
        validation_alias=AliasPath("personal", "reference"),
        description="the shop's own order number; of a purchase made with a key, null for readers without one",
    )
    position: AsText = Field(validation_alias=AliasPath("id", "position"))
    purchased_at: Moment = Field(validation_alias="at_ms")
    cancelled_at: MomentOrNull = Field(
        validation_alias="cancelled_ms",
        description="when seats of it were last cancelled; null if never, or if only the audit log has the time: of a "
        "purchase that SQL refused, once its event has left Redis",
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
    """A purchase with the fields that only its shop, readers and operators see, by their keys."""

    model_config = examples(_PURCHASE | {"buyer": "c-2077", "note": "picks up at the door", "caller": "box-office"})

    buyer: str | None = Field(
        validation_alias=AliasPath("personal", "buyer"), description="the shop's own id of its customer"
    )
    note: str | None = Field(validation_alias=AliasPath("personal", "note"))
    caller: str = Field(description="name of the API key that it was made with; `anonymous` without one")


class PurchaseListView(Answer):
    purchases: list[OrderView] = Field(validation_alias="items")
    next: NextCursor


def seen_by(who: Caller, purchase: Purchase) -> PurchaseView:
    """Show it without what is personal to somebody else's customer. Raises PurchaseNotFound for another shop's."""
    if who.role in (Role.READ, Role.OPERATE) or (who.role and who.name == purchase.caller):
        return OrderView.model_validate(purchase)
    if purchase.caller == ANONYMOUS.name:
        return PurchaseView.model_validate(purchase)
    if who.role:
        raise PurchaseNotFound
    return PurchaseView.model_validate(purchase._replace(personal=PersonalData()))
