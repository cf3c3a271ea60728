"""Events as answers show them."""

from typing import Literal

from pydantic import Field

from seating.domain.offer import Offer
from seating.services.events import EventOnSale
from seating.web.offers import CategoryView, views
from seating.web.schemas import Answer, MomentOrNull, NextCursor, examples, is_absent


class DefaultEventView(Answer):
    model_config = examples(
        {"totalSeats": 5000, "seatsSold": 150, "seatsRemaining": 4840, "seatsHeld": 8, "seatsBlocked": 2}
    )

    total_seats: int
    seats_sold: int
    seats_remaining: int = Field(description="can be bought now")
    seats_held: int
    seats_blocked: int


class EventView(Answer):
    model_config = examples(
        {
            "id": "demo",
            "name": "Demo event",
            "totalSeats": 5000,
            "seatsSold": 150,
            "seatsRemaining": 4850,
            "seated": True,
            "state": "on_sale",
            "selling": True,
            "opensAt": "2026-11-01T09:00:00.000Z",
            "closesAt": None,
            "startsAt": "2027-01-15T18:30:00.000Z",
            "venue": "Town hall",
            "metadata": {"season": "2026/27"},
        },
        {
            "id": "q2x7mzk4vd",
            "name": "Arena",
            "totalSeats": 800,
            "seatsSold": 2,
            "seatsRemaining": 798,
            "seated": False,
            "state": "on_sale",
            "selling": True,
            "opensAt": None,
            "closesAt": None,
            "startsAt": None,
            "venue": None,
            "metadata": {},
            "currency": "EUR",
            "categories": [
                {
                    "name": "Floor",
                    "price": 6900,
                    "onSale": True,
                    "onRequest": False,
                    "accessible": False,
                    "order": 0,
                    "totalSeats": 800,
                    "seatsRemaining": 798,
                }
            ],
        },
    )

    id: str
    name: str
    total_seats: int
    seats_sold: int | None = Field(description="null while the inventory is unavailable")
    seats_remaining: int | None
    seated: bool
    state: Literal["draft", "on_sale", "paused", "closed", "unavailable"]
    selling: bool = Field(description="on sale, has opened and has not closed; by Redis's clock")
    opens_at: MomentOrNull
    closes_at: MomentOrNull
    max_per_purchase: int | None = Field(None, exclude_if=is_absent, description="most seats of one purchase or hold")
    max_per_buyer: int | None = Field(None, exclude_if=is_absent, description="most seats of one buyer of a shop")
    starts_at: MomentOrNull
    venue: str | None
    metadata: dict[str, str]
    currency: str | None = Field(None, exclude_if=is_absent, description="of the prices; ISO 4217")
    categories: list[CategoryView] | None = Field(
        None, exclude_if=is_absent, description="only for an event that has categories"
    )


class CreatedEventView(EventView):
    plan_notes: list[str] = Field(
        [],
        description="for a plan from a file: how ambiguities in it were resolved",
        exclude_if=lambda notes: not notes,
    )


class EventListView(Answer):
    events: list[EventView]
    next: NextCursor


def view(found: EventOnSale) -> EventView:
    event, offer = found.event, found.event.offer or Offer()
    counts = found.counts if found.trusted else None
    return EventView(
        id=event.id,
        name=event.name,
        total_seats=event.capacity,
        seats_sold=counts.sold if counts else None,
        seats_remaining=counts.remaining if counts else None,
        seated=event.seated,
        state=found.state,
        selling=found.selling,
        opens_at=offer.on_sale_at_ms,
        closes_at=offer.off_sale_at_ms,
        max_per_purchase=offer.max_per_purchase,
        max_per_buyer=offer.max_per_buyer,
        starts_at=event.starts_ms,
        venue=event.venue,
        metadata=event.metadata,
        currency=offer.currency,
        categories=views(offer, found.left) or None,
    )
