"""The terms on which an event is sold, in request and response bodies."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import Field

from seating.domain.errors import InvalidRequest
from seating.domain.offer import MAX_ORDER, MAX_PRICE, CategoryOffer, Offer, offer_of_plan
from seating.domain.purchase import MAX_QUANTITY
from seating.domain.seat_selection import unknown
from seating.domain.seating_plan import SeatingPlan
from seating.web.parsing import StrictModel
from seating.web.schemas import Answer, GivenMoment, Line

MAX_SEATS_OF_AREAS: Final = 10_000_000
MAX_AREAS: Final = 100
_MOST_CATEGORIES: Final = 1_000


class CategoryTerms(StrictModel):
    """Omitted fields stay as they are; a new category is on sale, not on request, of order 0 and without a price."""

    price: int | None = Field(None, ge=0, le=MAX_PRICE, description="of a seat, in minor units of the event's currency")
    on_sale: bool = Field(True, alias="onSale", description="if false, its seats cannot be bought and count as blocked")
    on_request: bool = Field(
        False, alias="onRequest", description="sold only to buyers who name the category or the seats"
    )
    accessible: bool = Field(False, description="for buyers who ask for accessible seats, even if on request")
    order: int = Field(0, ge=0, le=MAX_ORDER, description="lower is searched first; ties keep the plan's order")
    total_seats: int | None = Field(
        None,
        ge=1,
        le=MAX_SEATS_OF_AREAS,
        alias="totalSeats",
        description="general admission only: number of places, which never changes",
    )

    def given(self) -> dict[str, Any]:
        """Fields of a CategoryOffer."""
        named = self.model_dump(exclude_unset=True)
        return {{"total_seats": "capacity"}.get(name, name): value for name, value in named.items()}


Categories = Annotated[
    dict[Annotated[Line, Field(min_length=1, max_length=255)], CategoryTerms],
    Field(max_length=_MOST_CATEGORIES),
]
Currency = Annotated[
    str, Field(pattern="^[A-Z]{3}$", description="ISO 4217; then each category on sale has a price, otherwise none has")
]


class Bounds(StrictModel):
    """When sales open and close, and how many seats are sold to one buyer; null is no bound."""

    on_sale_at: GivenMoment | None = Field(None, alias="onSaleAt", description="sales open at this time")
    off_sale_at: GivenMoment | None = Field(None, alias="offSaleAt", description="sales close at this time")
    max_per_purchase: int | None = Field(
        None, ge=1, le=MAX_QUANTITY, alias="maxPerPurchase", description="most seats of one purchase or hold"
    )
    max_per_buyer: int | None = Field(
        None,
        ge=1,
        le=1_000,
        alias="maxPerBuyer",
        description="most seats of one `buyer`, not counting cancelled ones; every purchase then needs a shop's key "
        "and a buyer",
    )

    def changes_bounds(self) -> bool:
        """Whether one is given."""
        return bool(self.model_fields_set & _BOUNDS.keys())

    def bounded(self, offer: Offer) -> Offer:
        """The offer with those that are given. Raises InvalidRequest."""
        given = {_BOUNDS[name]: getattr(self, name) for name in self.model_fields_set & _BOUNDS.keys()}
        changed = replace(offer, **given)
        opens, closes = changed.on_sale_at_ms, changed.off_sale_at_ms
        if opens is not None and closes is not None and closes <= opens:
            raise InvalidRequest("OffSaleAt must be after onSaleAt", "offSaleAt")
        return changed


_BOUNDS: Final = {
    "on_sale_at": "on_sale_at_ms",
    "off_sale_at": "off_sale_at_ms",
    "max_per_purchase": "max_per_purchase",
    "max_per_buyer": "max_per_buyer",
}


class CategoryView(Answer):
    name: str
    price: int | None = Field(description="of a seat, in minor units")
    on_sale: bool
    on_request: bool
    accessible: bool
    order: int
    total_seats: int | None = Field(validation_alias="capacity", description="general admission only; null in a hall")
    seats_remaining: int | None = Field(
        None, description="can be bought now; in a hall, up to a second old; null if not counted"
    )


def views(offer: Offer, left: Mapping[int, int] | None) -> list[CategoryView]:
    """`left` is how many seats of each category can be bought, by its number; None where that is not counted."""
    shown = [CategoryView.model_validate(category) for category in offer.categories]
    if left is None:
        return shown
    return [view.model_copy(update={"seats_remaining": left.get(number, 0)}) for number, view in enumerate(shown)]


def new_offer(categories: Mapping[str, CategoryTerms], currency: str | None, plan: SeatingPlan | None) -> Offer | None:
    """None for an event of general admission without categories, or of a plan that is sold as it is.

    Raises InvalidRequest naming the field.
    """
    if not categories:
        if currency is not None:
            raise InvalidRequest("A currency goes with categories that have prices", "currency")
        return None
    offer = offer_of_plan(plan) if plan else _areas(categories)
    return amended(offer, categories, currency, is_new=True)


def amended(
    offer: Offer, categories: Mapping[str, CategoryTerms], currency: str | None, *, is_new: bool = False
) -> Offer:
    """The offer with what is given changed. Raises InvalidRequest naming the field."""
    named = {category.name: category for category in offer.categories}
    if not named:
        raise InvalidRequest("This event has no categories", "categories" if categories else "currency")
    for name, terms in categories.items():
        if name not in named:
            raise unknown("category", name, named, "categories")
        given = terms.given()
        if "capacity" in given and not (is_new and named[name].capacity is not None):
            raise InvalidRequest(
                "The seats of a category are those of the plan, and never change", _path(name, "totalSeats")
            )
        named[name] = named[name]._replace(**given)
    changed = replace(offer, categories=tuple(named.values()), currency=currency or offer.currency)
    for category in changed.categories:
        if changed.currency is None and category.price is not None:
            raise InvalidRequest("Prices need a currency", "currency")
        if changed.currency is not None and category.price is None and category.on_sale:
            raise InvalidRequest(f"Category {category.name!r} has no price", _path(category.name, "price"))
    return changed


def _areas(categories: Mapping[str, CategoryTerms]) -> Offer:
    if len(categories) > MAX_AREAS:
        raise InvalidRequest(f"General admission has at most {MAX_AREAS} categories", "categories")
    for name, terms in categories.items():
        if terms.total_seats is None:
            raise InvalidRequest(f"Category {name!r} needs totalSeats", _path(name, "totalSeats"))
    return Offer(
        tuple(
            CategoryOffer(name, capacity=terms.total_seats, blocks=((area, area),))
            for area, (name, terms) in enumerate(categories.items())
        )
    )


def _path(category: str, field: str) -> str:
    return f"categories.{category}.{field}"[:100].encode("ascii", "backslashreplace").decode()
