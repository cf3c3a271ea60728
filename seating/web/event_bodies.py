"""The request bodies that create and change an event."""

from typing import Annotated, Any, ClassVar, Final, Literal, cast

import orjson
from pydantic import AfterValidator, BaseModel, Field, ModelWrapValidatorHandler, ValidationInfo, WrapValidator

from seating.domain import plan_file, plan_reading, seating_plan
from seating.domain.errors import InvalidRequest
from seating.domain.event import EventDetails
from seating.domain.offer import Offer
from seating.domain.plan_format import Better, PlanFile
from seating.domain.seating_plan import MAX_SEATS, GeneratedPlan, SeatingPlan
from seating.web.offers import MAX_SEATS_OF_AREAS, Bounds, Categories, Currency, amended, new_offer
from seating.web.parsing import NOT_BLANK, StrictModel
from seating.web.schemas import (
    GivenMoment,
    Line,
    Why,
    examples,
)

MAX_PLAN_BYTES: Final = 32 * 1024 * 1024
"""Of 100,000 seats with all that the format has, written with line breaks and indentation."""


_OF_A_FILE: Final = ("zones", "categories", "layout", "results")


class SeatingPlanSource(StrictModel):
    """The generator of equal sections."""

    generate: GeneratedPlan


def _file_or_generator(value: Any, _handler: ModelWrapValidatorHandler[Any], info: ValidationInfo) -> BaseModel:
    """Told apart by what a file may have, so that errors are about the one that is meant."""
    if isinstance(value, dict) and not value.keys().isdisjoint(_OF_A_FILE):
        numbered, ignores = (bool(info.data.get(name)) for name in ("number_duplicates", "ignore_unknown"))
        return plan_reading.parse(value, "seatingPlan.", number_duplicates=numbered, ignore_unknown=ignores)
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
    """Exactly one of `totalSeats`, for general admission, and `seatingPlan`, for a seated event.

    In general admission, `categories` that each have `totalSeats` replaces `totalSeats`.
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
        "on_sale", description="only operators and readers see a draft, until it is put on sale or closed"
    )
    total_seats: int | None = Field(None, ge=1, le=10_000_000, alias="totalSeats")
    number_duplicates: bool = Field(
        False,
        alias="numberDuplicates",
        description="of a file: rename seats with duplicate ids by appending a number instead of rejecting the file",
    )
    ignore_unknown: bool = Field(
        False,
        alias="ignoreUnknown",
        description="of a file: leave out fields that the format does not have instead of rejecting the file",
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
        description="terms of sale by category: the plan's categories (`Seats` in a generated plan), or areas of "
        "general admission",
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


class EventChange(_Described):
    """Change either the state or the terms of sale, plus any details. Omitted fields stay as they are."""

    model_config = examples(
        {"state": "paused", "why": "the hall is being counted"},
        {"name": "Winter concert", "startsAt": "2027-01-16T19:30:00+01:00", "venue": None},
        {"categories": {"Balcony": {"onSale": False}, "Floor": {"price": 7900}}},
    )

    state: Literal["on_sale", "paused", "closed"] | None = Field(
        None,
        description="`closed` is final, and everybody sees it then; `on_sale` also puts a draft on sale; "
        "a draft cannot be `paused`",
    )
    name: Name = Field(default_factory=str)
    currency: Currency | None = None
    categories: Categories = Field(
        default_factory=dict, description="changes the fields given of each category, for purchases from now on"
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
