"""Events: what is on sale, and putting something on sale."""

from functools import partial
from typing import Annotated, Any, ClassVar, Final, Literal, cast

import orjson
from flask import Response
from flask_openapi3 import Tag
from pydantic import AfterValidator, BaseModel, Field, ModelWrapValidatorHandler, ValidationInfo, WrapValidator

from seating.domain import plan_file, plan_reading, seating_plan
from seating.domain.errors import (
    BacklogFull,
    EventNotFound,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
    InvalidRequest,
    InventoryUnavailable,
    MissingIdempotencyKey,
    RecordUnavailable,
    SaleRunning,
)
from seating.domain.event import EventCursor, EventDetails, EventFilter
from seating.domain.idempotency import short_hash
from seating.domain.offer import Offer
from seating.domain.plan_format import Better, PlanFile
from seating.domain.seating_plan import MAX_SEATS, GeneratedPlan, SeatingPlan
from seating.services.events import EventOnSale
from seating.storage.events import CreationKey
from seating.web.actors import actor
from seating.web.application import Routes
from seating.web.callers import Access, caller, idempotency_key, open_to, sees_drafts
from seating.web.declarations import OF_INVENTORY, refuses, sends
from seating.web.drafts import refuse_hidden_draft
from seating.web.offers import MAX_SEATS_OF_AREAS, Bounds, Categories, CategoryView, Currency, amended, new_offer, views
from seating.web.parsing import NOT_BLANK, StrictModel, parsed
from seating.web.responses import render, render_fields
from seating.web.schemas import (
    IDEMPOTENCY_KEY,
    Answer,
    EventPath,
    GivenMoment,
    Line,
    MomentOrNull,
    NextCursor,
    PageQuery,
    Why,
    examples,
    is_absent,
)
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


_MOST_METADATA_BYTES: Final = 8 * 1024


def _bounded(metadata: dict[str, str]) -> dict[str, str]:
    if len(orjson.dumps(metadata)) > _MOST_METADATA_BYTES:
        raise ValueError(f"cannot have more than {_MOST_METADATA_BYTES} bytes, as JSON in UTF-8")
    return metadata


Name = Annotated[Line, Field(min_length=1, max_length=200, pattern=NOT_BLANK)]
Venue = Annotated[Line, Field(min_length=1, max_length=200, pattern=NOT_BLANK)]
Metadata = Annotated[
    dict[Annotated[Line, Field(min_length=1, max_length=40)], Annotated[str, Field(max_length=500)]],
    Field(
        max_length=50,
        description=f"texts that the organiser's systems keep with it, at most {_MOST_METADATA_BYTES} bytes; public",
    ),
    AfterValidator(_bounded),
]


class _Described(Bounds):
    """What is said of an event, and nothing is sold by; and when and how much is sold."""

    starts_at: GivenMoment | None = Field(None, alias="startsAt", description="when it takes place")
    venue: Venue | None = Field(None, description="where it takes place")
    metadata: Metadata = Field(default_factory=dict)

    def details(self) -> EventDetails:
        """Those that are given."""
        given: dict[str, Any] = {
            {"starts_at": "starts_ms"}.get(name, name): getattr(self, name)
            for name in ("name", "starts_at", "venue", "metadata")
            if name in self.model_fields_set
        }
        return cast(EventDetails, given)


class NewEvent(_Described):
    """`totalSeats` makes an event of general admission, `seatingPlan` a seated one; exactly one of them.

    In general admission `categories` with `totalSeats` each may stand for `totalSeats`.
    """

    model_config = examples(
        {"name": "Open air", "totalSeats": 5000},
        {
            "name": "Winter concert",
            "totalSeats": 500,
            "state": "draft",
            "onSaleAt": "2026-11-01T10:00:00+01:00",
            "maxPerPurchase": 6,
            "startsAt": "2027-01-15T19:30:00+01:00",
            "venue": "Town hall",
            "metadata": {"season": "2026/27"},
        },
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

    name: Name
    state: Literal["draft", "on_sale"] = Field(
        "on_sale", description="a draft is seen by operators and readers alone, until it is put on sale"
    )
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
        if self.changes_bounds():
            offer = self.bounded(offer or Offer())
        if plan is None and offer and offer.categories:
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
        areas = offer.categories if offer else ()
        return sum(category.capacity or 0 for category in areas) or self.total_seats or 0


class EventPageQuery(PageQuery):
    cursor: str = Field(
        "",
        pattern=r"^([0-9]{0,15}\.[a-z0-9][a-z0-9-]{0,63})?$",
        description="`next` of the page before",
    )
    from_: GivenMoment | None = Field(None, alias="from", description="only those that start then or later")
    to: GivenMoment | None = Field(None, description="only those that start before")
    state: Literal["draft", "on_sale", "paused", "closed"] | None = Field(
        None, description="only those in it, on record"
    )
    venue: Line | None = Field(None, max_length=200, description="only those that take place there")


class EventHeaders(BaseModel):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        description="1 to 255 visible ASCII characters, best a UUID: a repetition with it creates no second event",
        json_schema_extra=IDEMPOTENCY_KEY,
    )


class EventChange(_Described):
    """`state`, or on what conditions it is sold; and what is said of it. What is not given stays as it is."""

    model_config = examples(
        {"state": "paused", "why": "the hall is being counted"},
        {"name": "Winter concert", "startsAt": "2027-01-16T19:30:00+01:00", "venue": None},
        {"categories": {"Balcony": {"onSale": False}, "Floor": {"price": 7900}}},
    )

    state: Literal["on_sale", "paused", "closed"] | None = Field(
        None, description="closed is for good; a draft is put on sale with on_sale"
    )
    name: Name = Field(default_factory=str)
    currency: Currency | None = None
    categories: Categories = Field(
        default_factory=dict, description="what is given of a category is changed, for purchases from now on"
    )
    why: Why | None = None

    def changes_offer(self) -> bool:
        """Raises InvalidRequest for nothing, and for both."""
        changes = self.changes_terms() or self.changes_bounds()
        if changes and self.state:
            raise InvalidRequest("Change the state and what it is sold by one after the other", "state")
        if not changes and not self.state and not self.details():
            raise InvalidRequest("Give what is to change", "body")
        return changes

    def changes_terms(self) -> bool:
        """Whether categories or prices are given."""
        return bool(self.categories) or self.currency is not None

    def amend(self, offer: Offer) -> Offer:
        """Raises InvalidRequest."""
        return self.bounded(amended(offer, self.categories, self.currency) if self.changes_terms() else offer)


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
    seats_sold: int | None = Field(description="null while the inventory is not there")
    seats_remaining: int | None
    seated: bool
    state: Literal["draft", "on_sale", "paused", "closed", "unavailable"]
    selling: bool = Field(description="on sale, has opened and has not closed; by Redis's clock")
    opens_at: MomentOrNull
    closes_at: MomentOrNull
    max_per_purchase: int | None = Field(None, exclude_if=is_absent, description="seats of one purchase or hold")
    max_per_buyer: int | None = Field(None, exclude_if=is_absent, description="seats of one buyer of a shop")
    starts_at: MomentOrNull
    venue: str | None
    metadata: dict[str, str]
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
    refuse_hidden_draft(settings().default_event)
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
    """All events, paged

    In the order of their dates, those without one last. With `from` or `to` those are left out. Operators and readers
    see drafts too.
    """
    wanted = EventFilter(query.from_, query.to, query.state, query.venue, sees_drafts())
    page = services().events.page(EventCursor.parse(query.cursor) if query.cursor else None, query.limit, wanted)
    return render(EventListView(events=[_view(found) for found in page.items], next=page.next))


@api.post("/api/v1/events", responses={201: CreatedEventView})
@open_to(Access.OPERATORS)
@refuses(
    RecordUnavailable,
    InventoryUnavailable,
    BacklogFull,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
    MissingIdempotencyKey,
)
@sends("Idempotent-Replayed")
@parsed
def create_event(header: EventHeaders, body: NewEvent) -> Response:
    """Put an event on sale, or keep it a draft

    `totalSeats` for general admission, or `seatingPlan`. All that is wrong with a file is said in `errors`, with
    the path, the value and a suggestion for each. With an `Idempotency-Key`, a repetition answers with the event that
    the first request created, as it is now.
    """
    key = None if header.idempotency_key is None else _creation_key(header.idempotency_key, body)
    plan, offer = services().offload(body.hall)
    create = partial(
        services().events.create,
        *(body.name, body.capacity(plan, offer), plan, actor(body.why), offer),
        state=body.state,
        details=body.details(),
        key=key,
    )
    created, replayed = services().events.once(key, create) if key else (create(), False)
    notes = list(plan.notes) if plan else []
    response = render(CreatedEventView(**dict(_view(created)), plan_notes=notes), 201)
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _creation_key(header: str, body: NewEvent) -> CreationKey:
    """Of a large plan this takes as long as reading it."""
    key = idempotency_key(header)
    asked = services().offload(lambda: body.model_dump_json(by_alias=True, exclude_defaults=True))
    return CreationKey(short_hash(caller().name, key), short_hash(asked))


@api.get("/api/v1/events/<event_id>", responses={200: EventView})
@open_to(Access.ANYBODY)
@refuses(EventNotFound, RecordUnavailable, InventoryUnavailable)
@parsed
def get_event(path: EventPath) -> Response:
    """One event"""
    found = services().events.get(path.event_id)
    if found.is_draft and not sees_drafts():
        raise EventNotFound
    return render(_view(found))


@api.patch("/api/v1/events/<event_id>", responses={200: EventView})
@open_to(Access.OPERATORS)
@refuses(*OF_INVENTORY, RecordUnavailable, BacklogFull, SaleRunning)
@parsed
def change_event(path: EventPath, body: EventChange) -> Response:
    """Put a draft on sale, pause a sale, resume it, or close it for good; change what is said of an event

    While it is not on sale, new purchases are refused with NOT_ON_SALE; repetitions of accepted ones are still
    answered. A day after an event was closed it leaves the inventory, and its idempotency keys with it. `name`,
    `startsAt`, `venue` and `metadata` can be changed at any time; `metadata` is replaced whole. So can `onSaleAt`,
    `offSaleAt`, `maxPerPurchase` and `maxPerBuyer`, until it is closed. Categories are changed while the sale is
    paused; what was sold before keeps its price.
    """
    details, changes_offer, by = body.details(), body.changes_offer(), actor(body.why)
    if changes_offer:
        services().events.set_offer(path.event_id, body.amend, by, by_category=body.changes_terms())
    if body.state:
        services().events.set_state(path.event_id, body.state, by)
    if details:  # Last, because nothing refuses them.
        services().events.describe(path.event_id, details, by)
    return render(_view(services().events.get(path.event_id)))


def _view(found: EventOnSale) -> EventView:
    event, counts, _, left = found
    offer = event.offer or Offer()
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
        categories=views(offer, left) or None,
    )
