"""Events: what is on sale, and putting something on sale."""

from typing import Annotated, Any, ClassVar, Final, Literal

from flask import Response
from flask_openapi3 import Tag
from pydantic import BaseModel, Field, ModelWrapValidatorHandler, ValidationInfo, WrapValidator

from seating.domain import plan_file, plan_reading, seating_plan
from seating.domain.errors import (
    BacklogFull,
    EventNotFound,
    InvalidRequest,
    InventoryUnavailable,
    RecordUnavailable,
    SaleRunning,
)
from seating.domain.offer import Offer
from seating.domain.plan_format import Better, PlanFile
from seating.domain.seating_plan import MAX_SEATS, GeneratedPlan, SeatingPlan
from seating.services.events import EventOnSale
from seating.web.actors import actor
from seating.web.application import Routes
from seating.web.callers import Access, open_to
from seating.web.declarations import OF_INVENTORY, refuses
from seating.web.offers import MAX_SEATS_OF_AREAS, Categories, CategoryView, Currency, amended, new_offer, views
from seating.web.parsing import NOT_BLANK, StrictModel, parsed
from seating.web.responses import render, render_fields
from seating.web.schemas import Answer, EventPath, Line, NextCursor, PageQuery, Why, examples, is_absent
from seating.web.services import services, settings

api = Routes("events", __name__, abp_tags=[Tag(name="Events", description=__doc__)])

MAX_PLAN_BYTES: Final = 32 * 1024 * 1024
"""Of 100,000 seats with all that the format has, written with line breaks and indentation."""


_OF_A_FILE: Final = ("zones", "categories", "layout", "results")


class SeatingPlanSource(StrictModel):
    """The generator of equal sections."""

    generate: GeneratedPlan


def _file_or_generator(value: Any, _handler: ModelWrapValidatorHandler[Any], info: ValidationInfo) -> BaseModel:
    """Told apart by what a file may have, so that errors are about the one that is meant."""
    if isinstance(value, dict) and not value.keys().isdisjoint(_OF_A_FILE):
        numbered = bool(info.data.get("number_duplicates"))
        return plan_reading.parse(value, "seatingPlan.", number_duplicates=numbered)
    return SeatingPlanSource.model_validate(value)


class NewEvent(StrictModel):
    """`totalSeats` makes an event of general admission, `seatingPlan` a seated one; exactly one of them.

    In general admission `categories` with `totalSeats` each may stand for `totalSeats`.
    """

    model_config = examples(
        {"name": "Open air", "totalSeats": 5000},
        {
            "name": "Arena",
            "currency": "EUR",
            "categories": {"Floor": {"totalSeats": 800, "price": 6900}, "Balcony": {"totalSeats": 200, "price": 8900}},
        },
        {"name": "Hall", "seatingPlan": {"generate": {"sections": 10, "rows": 20, "seatsPerRow": 25}}},
        {
            "name": "Club",
            "seatingPlan": {
                "name": "Club",
                "categories": [{"name": "Front"}],
                "zones": [
                    {
                        "name": "Floor",
                        "position": {"x": 0, "y": 0},
                        "areas": [],
                        "rows": [
                            {
                                "row_number": "A",
                                "position": {"x": 0, "y": 0},
                                "seats": [
                                    {
                                        "seat_guid": "floor-A-1",
                                        "seat_number": "1",
                                        "position": {"x": 0, "y": 0},
                                        "category": "Front",
                                    }
                                ],
                            }
                        ],
                    }
                ],
            },
            "bestFirst": [{"zone": "Floor", "row": "A"}, {"path": "zones.0"}],
        },
    )

    max_body_bytes: ClassVar[int] = MAX_PLAN_BYTES
    has_a_file: ClassVar[bool] = True

    name: Line = Field(min_length=1, max_length=200, pattern=NOT_BLANK)
    total_seats: int | None = Field(None, ge=1, le=10_000_000, alias="totalSeats")
    number_duplicates: bool = Field(
        False,
        alias="numberDuplicates",
        description="of a file: whether a seat whose id another seat has gets a number behind it, instead of an error",
    )
    seating_plan: Annotated[SeatingPlanSource | PlanFile, WrapValidator(_file_or_generator)] | None = Field(
        None,
        alias="seatingPlan",
        description="a file of the open format that pretix uses, as such or in an answer of its API, or a generator; "
        f"at most {MAX_SEATS} seats",
    )
    best_first: list[Better] = Field(
        default_factory=list,
        max_length=10_000,
        alias="bestFirst",
        description="of a file: zones and rows that are better than all others, by name, or by their path where names "
        "repeat; by default the first category is best",
    )
    currency: Currency | None = None
    categories: Categories = Field(
        default_factory=dict,
        description="on what conditions each category is sold: those of the plan (`Seats` in a generated one), "
        "or areas of general admission",
    )
    why: Why | None = None

    def plan(self) -> SeatingPlan | None:
        """None for general admission. Raises InvalidRequest."""
        has_seats = self.total_seats is not None or (self.seating_plan is None and bool(self.categories))
        if (self.seating_plan is None) != has_seats or None not in (self.seating_plan, self.total_seats):
            raise InvalidRequest("Give either totalSeats or seatingPlan", "totalSeats")
        if isinstance(self.seating_plan, PlanFile):
            return plan_file.read(self.seating_plan, self.best_first)
        if self.best_first:
            raise InvalidRequest("bestFirst is for a seating plan from a file", "bestFirst")
        return seating_plan.generate(self.seating_plan.generate) if self.seating_plan else None

    def hall(self) -> tuple[SeatingPlan | None, Offer | None]:
        """The plan, None for general admission, and on what conditions it is sold, None where nothing is said of it.

        Raises InvalidRequest.
        """
        plan = self.plan()
        offer = new_offer(self.categories, self.currency, plan)
        if plan is None and offer:
            places = sum(category.capacity or 0 for category in offer.categories)
            if self.total_seats not in (None, places):
                raise InvalidRequest(f"The categories have {places} seats together", "totalSeats")
            if places > MAX_SEATS_OF_AREAS:
                raise InvalidRequest(f"An event has at most {MAX_SEATS_OF_AREAS} seats", "categories")
        return plan, offer

    def capacity(self, plan: SeatingPlan | None, offer: Offer | None) -> int:
        """How many seats the event has."""
        if plan:
            return plan.capacity
        return sum(category.capacity or 0 for category in offer.categories) if offer else self.total_seats or 0


class EventPageQuery(PageQuery):
    cursor: str = Field("", max_length=64, pattern="^[a-z0-9-]*$", description="`next` of the page before")


class EventChange(StrictModel):
    """Either `state`, or `categories` and `currency` of an event that is not on sale."""

    model_config = examples(
        {"state": "paused", "why": "the hall is being counted"},
        {"categories": {"Balcony": {"onSale": False}, "Floor": {"price": 7900}}},
    )

    state: Literal["on_sale", "paused", "closed"] | None = Field(None, description="closed is for good")
    currency: Currency | None = None
    categories: Categories = Field(
        default_factory=dict, description="what is given of a category is changed, for purchases from now on"
    )
    why: Why | None = None

    def changes_offer(self) -> bool:
        """Raises InvalidRequest for nothing, and for both."""
        changes = bool(self.categories) or self.currency is not None
        if changes and self.state:
            raise InvalidRequest("Change the state and the categories one after the other", "state")
        if not changes and not self.state:
            raise InvalidRequest("State is required", "state")
        return changes

    def amend(self, offer: Offer) -> Offer:
        """Raises InvalidRequest."""
        return amended(offer, self.categories, self.currency)


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
        },
        {
            "id": "q2x7mzk4vd",
            "name": "Arena",
            "totalSeats": 800,
            "seatsSold": 2,
            "seatsRemaining": 798,
            "seated": False,
            "state": "on_sale",
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
    seats_sold: int | None = Field(description="null while the inventory is not there")
    seats_remaining: int | None
    seated: bool
    state: Literal["on_sale", "paused", "closed", "unavailable"]
    currency: str | None = Field(None, exclude_if=is_absent, description="of the prices; ISO 4217")
    categories: list[CategoryView] | None = Field(
        None, exclude_if=is_absent, description="only of an event that has categories"
    )


class CreatedEventView(EventView):
    plan_notes: list[str] = Field(
        [], description="of a plan from a file: what was chosen in reading it", exclude_if=lambda notes: not notes
    )


class EventListView(Answer):
    events: list[EventView]
    next: NextCursor


@api.get("/api/v1/event", responses={200: DefaultEventView})
@open_to(Access.ANYBODY)
@refuses(*OF_INVENTORY)
def get_default_event() -> Response:
    """What is left of the default event

    Never stale: read from the inventory at this moment.
    """
    counts = services().events.counts(settings().default_event)
    return render_fields(
        {
            "totalSeats": counts.capacity,
            "seatsSold": counts.sold,
            "seatsRemaining": counts.remaining,
            "seatsHeld": counts.held,
            "seatsBlocked": counts.blocked,
        }
    )


@api.get("/api/v1/events", responses={200: EventListView})
@open_to(Access.ANYBODY)
@refuses(RecordUnavailable, InventoryUnavailable)
@parsed
def list_events(query: EventPageQuery) -> Response:
    """All events, paged"""
    page = services().events.page(query.cursor, query.limit)
    return render(EventListView(events=[_view(found) for found in page.items], next=page.next))


@api.post("/api/v1/events", responses={201: CreatedEventView})
@open_to(Access.OPERATORS)
@refuses(RecordUnavailable, InventoryUnavailable, BacklogFull)
@parsed
def create_event(body: NewEvent) -> Response:
    """Put an event on sale

    `totalSeats` for general admission, or `seatingPlan`. All that is wrong with a file is said in `errors`, with
    the path, the value and a suggestion for each.
    """
    plan, offer = services().offload(body.hall)
    created = services().events.create(body.name, body.capacity(plan, offer), plan, actor(body.why), offer)
    return render(CreatedEventView(**dict(_view(created)), plan_notes=list(plan.notes) if plan else []), 201)


@api.get("/api/v1/events/<event_id>", responses={200: EventView})
@open_to(Access.ANYBODY)
@refuses(EventNotFound, RecordUnavailable, InventoryUnavailable)
@parsed
def get_event(path: EventPath) -> Response:
    """One event"""
    return render(_view(services().events.get(path.event_id)))


@api.patch("/api/v1/events/<event_id>", responses={200: EventView})
@open_to(Access.OPERATORS)
@refuses(*OF_INVENTORY, RecordUnavailable, BacklogFull, SaleRunning)
@parsed
def change_event(path: EventPath, body: EventChange) -> Response:
    """Pause a sale, resume it, close it for good, or change its categories

    New purchases are refused with NOT_ON_SALE while it is not on sale; repetitions of accepted ones are still answered.
    A day after an event was closed it leaves the inventory, and its idempotency keys with it. Categories are changed
    while the sale is paused; what was sold before keeps its price.
    """
    if body.changes_offer():
        return render(_view(services().events.set_offer(path.event_id, body.amend, actor(body.why))))
    return render(_view(services().events.set_state(path.event_id, body.state or "", actor(body.why))))


def _view(found: EventOnSale) -> EventView:
    event, counts, left = found
    return EventView(
        id=event.id,
        name=event.name,
        total_seats=event.capacity,
        seats_sold=counts.sold if counts else None,
        seats_remaining=counts.remaining if counts else None,
        seated=event.seated,
        state=counts.state if counts else "closed" if event.archived else "unavailable",
        currency=event.offer.currency if event.offer else None,
        categories=views(event.offer, left) if event.offer else None,
    )
