"""The bodies of purchases and holds: what a buyer may request."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from seating.domain.errors import InvalidRequest
from seating.domain.purchase import MAX_QUANTITY, Order
from seating.web.parsing import StrictModel
from seating.web.schemas import Buyer, Line, Note, Reference, examples, without_default


def _each_once(seats: list[str]) -> list[str]:
    if len(set(seats)) < len(seats):
        raise ValueError("has a seat twice")
    return seats


# The default of an absent field cannot be sent, so null is refused like any other invalid value.
OPTIONAL: Final[Any] = {"validate_default": False, "json_schema_extra": without_default}

_OF_CATEGORY: Final = "of a quantity: only seats of this category"
_OF_ZONE: Final = "of a quantity: only seats of this zone of the plan"
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY, description="seats, all or none", **OPTIONAL)]
SeatIds = Annotated[
    list[Annotated[Line, Field(min_length=1, max_length=255)]],
    Field(min_length=1, description="ids of seats, all or none", json_schema_extra={"uniqueItems": True}),
    AfterValidator(_each_once),
]
ChosenSeats = Annotated[SeatIds, Field(max_length=MAX_QUANTITY)]


class DefaultPurchase(StrictModel):
    """A purchase on the default event."""

    model_config = examples({"quantity": 2})

    quantity: int = Field(ge=1, le=MAX_QUANTITY, description="seats to buy, all or none")

    def order(self) -> Order:
        return Order(self.quantity)


class _WantedSeats(StrictModel):
    quantity: Quantity = 0
    seats: ChosenSeats = Field(default_factory=list)
    together: bool = Field(False, description="refuse a split of a quantity over several rows")
    category: str = Field("", min_length=1, max_length=255, description=_OF_CATEGORY, **OPTIONAL)
    zone: str = Field("", min_length=1, max_length=255, description=_OF_ZONE, **OPTIONAL)
    accessible: bool = Field(False, description="of a quantity: only accessible seats, also those on request")
    mix: bool = Field(False, description="let a split of a quantity have seats of several categories")

    def _wishes(self) -> dict[str, Any]:
        """What makes a seat the best. Raises InvalidRequest where nothing is searched."""
        wishes = {
            "category": self.category or None,
            "zone": self.zone or None,
            "accessible": self.accessible,
            "mix": self.mix,
        }
        given = [name for name, value in wishes.items() if value]
        if given and not self.quantity:
            raise InvalidRequest(f"{given[0].capitalize()} goes with a quantity only", given[0])
        return wishes


class NewHold(_WantedSeats):
    """Exactly one of `quantity` and `seats`."""

    model_config = examples({"quantity": 2, "together": True}, {"seats": ["sec-1-row-A-seat-1"]})

    buyer: Buyer | None = None

    def order(self, *, is_shop: bool) -> Order:
        """Return the order. Raises InvalidRequest unless exactly one is given, and for a `buyer` that no shop names."""
        exactly_one(quantity=self.quantity, seats=self.seats)
        if self.buyer is not None and not is_shop:
            raise InvalidRequest("Buyer is believed from a shop only: send its API key too, or leave it out", "buyer")
        quantity = self.quantity or len(self.seats)
        return Order(quantity, self.together, seats=tuple(self.seats), **self._wishes(), buyer=self.buyer)


class HoldChange(StrictModel):
    """Seats to add and to remove; with neither, the hold is extended."""

    may_be_absent = True
    model_config = examples({"add": ["sec-1-row-A-seat-3"], "remove": ["sec-1-row-A-seat-1"]}, {})

    add: ChosenSeats = Field(default_factory=list)
    remove: ChosenSeats = Field(default_factory=list)

    def seats(self) -> tuple[list[str], list[str]]:
        """Those to add, and those to remove. Raises InvalidRequest for one that is in both."""
        if set(self.add) & set(self.remove):
            raise InvalidRequest("Remove has a seat that add has too", "remove")
        return self.add, self.remove


class EventPurchase(_WantedSeats):
    """Exactly one of `quantity`, `seats` and `holdToken`."""

    model_config = examples(
        {"quantity": 2, "together": True, "reference": "A-1001", "buyer": "c-2077", "note": "picks up at the door"},
        {"quantity": 4, "category": "Stalls", "mix": False},
        {"seats": ["sec-1-row-A-seat-1", "sec-1-row-A-seat-2"]},
        {"holdToken": "q0Vd3mXK8sWcGx1bT5yZ2g"},
    )

    hold_token: str = Field(
        "", min_length=1, max_length=255, alias="holdToken", description="token of a hold", **OPTIONAL
    )
    reference: Reference | None = Field(None, description="the shop's own order number")
    buyer: Buyer | None = Field(None, description="the shop's own id of its customer; only with a key")
    note: Note | None = Field(None, description="for the people who handle the order; never in logs or live feeds")

    def order(self) -> Order:
        """Return the order. Raises InvalidRequest unless exactly one field is given."""
        exactly_one(quantity=self.quantity, seats=self.seats, holdToken=self.hold_token)
        quantity = self.quantity or len(self.seats)
        given = (tuple(self.seats), self.hold_token or None)
        return Order(
            quantity, self.together, self.reference, *given, **self._wishes(), buyer=self.buyer, note=self.note
        )


def exactly_one(**fields: object) -> None:
    """Raises InvalidRequest unless exactly one is given."""
    given = [name for name, value in fields.items() if value]
    if not given:
        raise InvalidRequest("Quantity is required", "quantity")
    if len(given) > 1:
        raise InvalidRequest(f"Give only one of {' and '.join(given)}", given[1])
