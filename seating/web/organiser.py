"""Set many seats at once as the organiser, and list the seats that the organiser has set."""

from typing import Annotated, ClassVar, Final, Literal

from flask import Response
from pydantic import BeforeValidator, Field

from seating.domain import errors
from seating.domain.seat_selection import MAX_SEATS_AT_ONCE, SeatSelection
from seating.domain.seat_status import SETTABLE, WORDS
from seating.domain.timestamps import rfc3339
from seating.services.seats import OrganisersPart
from seating.storage.organiser import OrganiserPlaces, OrganiserSeat
from seating.web.application import Routes
from seating.web.callers import Access, actor, open_to
from seating.web.declarations import OF_INVENTORY, refuses
from seating.web.orders import OPTIONAL, SeatIds, exactly_one
from seating.web.parsing import StrictModel, parsed
from seating.web.responses import render
from seating.web.schemas import Answer, AsText, EventPath, Line, NextCursor, PageQuery, Why, examples
from seating.web.services import services

api = Routes("organiser", __name__, "Organiser's seats", __doc__)

_MAX_BODY_BYTES: Final = 1024 * 1024

OrganiserStatus = Literal["reserved", "held", "sold"]


class SeatsSetting(StrictModel):
    """Exactly one of `seats`, `category` and `zone`; in general admission, `quantity`, and `category` if it has any."""

    model_config = examples(
        {"status": "reserved", "zone": "Balcony", "note": "kept for the sponsor"},
        {"status": "available", "seats": ["floor-A-1", "floor-A-2"]},
        {"status": "reserved", "category": "Standing", "quantity": 50},
    )

    max_body_bytes: ClassVar[int] = _MAX_BODY_BYTES

    status: Literal["available", "reserved", "sold", "held"] = Field(description="new status")
    seats: Annotated[SeatIds, Field(max_length=MAX_SEATS_AT_ONCE)] = Field(default_factory=list)
    category: str = Field("", min_length=1, max_length=255, description="all seats of this category", **OPTIONAL)
    zone: str = Field("", min_length=1, max_length=255, description="all seats of this zone", **OPTIONAL)
    quantity: int = Field(0, ge=1, le=10_000_000, description="in general admission: number of places", **OPTIONAL)
    places_are: Literal["reserved", "sold", "held"] = Field(
        "reserved", alias="from", description="in general admission, with `available`: current status of the places"
    )
    note: Why | None = Field(None, description="the reason, kept in the ledger and shown with the seats")

    def selection(self) -> SeatSelection:
        """Raises InvalidRequest unless it is exactly one, or places."""
        if self.quantity and (self.seats or self.zone):
            raise errors.InvalidRequest("Quantity goes with a category, or alone", "quantity")
        if not (self.seats or self.category or self.zone or self.quantity):
            raise errors.InvalidRequest("Say which seats: seats, category or zone", "seats")
        if "places_are" in self.model_fields_set and not (self.quantity and self.status == "available"):
            raise errors.InvalidRequest("From goes with available and a quantity: make places available first", "from")
        if not self.quantity:
            exactly_one(seats=self.seats, category=self.category, zone=self.zone)
        are = SETTABLE[self.places_are if self.status == "available" else "available"]
        return SeatSelection(tuple(self.seats), self.category or None, self.zone or None, self.quantity or None, are)


class SeatsSetView(Answer):
    model_config = examples({"changed": 24, "position": "217907169-42"})

    changed: int = Field(description="number of seats whose status changed")
    position: AsText = Field(description="`<epoch>-<seq>` in the event's log")


class _SetByOrganiser(Answer):
    status: Annotated[OrganiserStatus, BeforeValidator(WORDS.__getitem__)]
    at: Annotated[str | None, BeforeValidator(lambda at_ms: None if at_ms is None else rfc3339(at_ms))] = Field(
        validation_alias="at_ms", description="RFC 3339, UTC; null if a merge left no entry that says when"
    )
    by: Annotated[str | None, BeforeValidator(lambda by: by.name if by else None)] = Field(
        description="name of the operator"
    )
    note: str | None


class OrganiserSeatView(_SetByOrganiser):
    id: str = Field(validation_alias="seat_id")


class OrganiserPlacesView(_SetByOrganiser):
    """Places with the same category and status; `at`, `by` and `note` are of the last change that added to them."""

    category: str | None = Field(description="null in an event without categories")
    quantity: int


class OrganiserSeatsView(Answer):
    model_config = examples(
        {
            "seats": [
                {
                    "id": "floor-A-1",
                    "status": "reserved",
                    "at": "2026-05-01T10:00:00.000Z",
                    "by": "box-office",
                    "note": "kept for the sponsor",
                }
            ],
            "places": [],
            "next": None,
        },
        {
            "seats": [],
            "places": [
                {
                    "category": "Standing",
                    "status": "reserved",
                    "quantity": 50,
                    "at": "2026-05-01T10:00:00.000Z",
                    "by": "box-office",
                    "note": "kept for the sponsor",
                }
            ],
            "next": None,
        },
    )

    seats: list[OrganiserSeatView]
    places: list[OrganiserPlacesView] = Field(description="only in general admission, which has no seats to list")
    next: NextCursor


class OrganiserSeatsQuery(PageQuery):
    limit: int = Field(200, ge=1, le=1_000, description="size of a page")
    cursor: Line = Field("", max_length=255, description="`next` of the previous page")
    status: OrganiserStatus | None = Field(None, description="only seats with this status")


@api.patch("/api/v1/events/<event_id>/seats", responses={200: SeatsSetView})
@open_to(Access.OPERATORS)
@refuses(
    *OF_INVENTORY,
    errors.BacklogFull,
    errors.RolloutInProgress,
    errors.SeatHeld,
    errors.SeatNotFound,
    errors.SeatSold,
    errors.SeatUnavailable,
    errors.SoldOut,
)
@parsed
def set_seats(path: EventPath, body: SeatsSetting) -> Response:
    """Block seats, sell them at the box office, hold them, or make them available again

    All or nothing: if a buyer owns or holds any of the seats, nothing changes and the error lists them. A request sets
    at most 10,000 seats; a larger category or zone is refused, so name its seats instead. `sold` is a sale at the box
    office, `reserved` takes seats out of the sale, `held` is the organiser's hold, which does not expire. In general
    admission, changes `quantity` available places, those of the category if the event has any; with `available`, places
    whose status is `from` return to sale. A repetition sets as many places again: if it is unknown whether a request
    took effect, look at `seats/organiser` first, which has what SQL has recorded, usually within seconds.
    """
    done = services().seats.set_all(path.event_id, body.selection(), body.status, actor(body.note))
    return render(SeatsSetView.model_validate(done))


@api.get("/api/v1/events/<event_id>/seats/organiser", responses={200: OrganiserSeatsView})
@open_to(Access.READERS)
@refuses(errors.EventNotFound, errors.RecordUnavailable)
@parsed
def list_organiser_seats(path: EventPath, query: OrganiserSeatsQuery) -> Response:
    """List seats set by the organiser

    Seats that are reserved, held by the organiser or sold at the box office, as recorded in SQL, ordered by id, with
    who set them, when and why. In general admission, the number of such places by category and status.
    """
    return render(view(services().seats.set_by_organiser(path.event_id, query.cursor, query.limit, query.status)))


def view(found: OrganisersPart) -> OrganiserSeatsView:
    """Seats and places as answers show them."""
    seats = [OrganiserSeatView.model_validate(_fields(seat)) for seat in found.page.items]
    places = [OrganiserPlacesView.model_validate(_fields(of_group)) for of_group in found.places]
    return OrganiserSeatsView(seats=seats, places=places, next=found.page.next)


def _fields(found: OrganiserSeat | OrganiserPlaces) -> dict[str, object]:
    return found._asdict() | {"note": found.by.why if found.by else None}
