"""What a buyer may ask for, as the bodies of purchases and holds have it."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from seating.domain.errors import InvalidRequest
from seating.domain.hold import HoldOrder
from seating.domain.purchase import MAX_QUANTITY, Order
from seating.web.parsing import StrictModel
from seating.web.schemas import Buyer, Line, Reference, examples


def _each_once(seats: list[str]) -> list[str]:
    if len(set(seats)) < len(seats):
        raise ValueError("has a seat twice")
    return seats


def without_default(schema: dict[str, Any]) -> None:
    schema.pop("default")


# What is not given has a default that cannot be given, so that null is refused like any other wrong value.
_ABSENT: Final[Any] = {"validate_default": False, "json_schema_extra": without_default}

Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY, description="seats, all or none", **_ABSENT)]
ChosenSeats = Annotated[
    list[Annotated[Line, Field(min_length=1, max_length=255)]],
    Field(
        min_length=1,
        max_length=MAX_QUANTITY,
        description="ids of seats, all or none",
        json_schema_extra={"uniqueItems": True},
    ),
    AfterValidator(_each_once),
]


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


class NewHold(_WantedSeats):
    """Exactly one of `quantity` and `seats`."""

    model_config = examples({"quantity": 2, "together": True}, {"seats": ["sec-1-row-A-seat-1"]})

    buyer: Buyer | None = None

    def order(self, *, is_shop: bool) -> HoldOrder:
        """Raises InvalidRequest unless it is exactly one, and for a `buyer` that no shop names."""
        _exactly_one(quantity=self.quantity, seats=self.seats)
        if self.buyer is not None and not is_shop:
            raise InvalidRequest("Buyer is believed from a shop only: send its API key too, or leave it out", "buyer")
        return HoldOrder(self.quantity or len(self.seats), tuple(self.seats), self.together, self.buyer)


class HoldChange(StrictModel):
    """Seats to take in and to give back; with neither, the hold is extended."""

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
        {"quantity": 2, "together": True, "reference": "A-1001"},
        {"seats": ["sec-1-row-A-seat-1", "sec-1-row-A-seat-2"]},
        {"holdToken": "q0Vd3mXK8sWcGx1bT5yZ2g"},
    )

    hold_token: str = Field("", min_length=1, max_length=255, alias="holdToken", description="of a hold", **_ABSENT)
    reference: Reference | None = Field(None, description="the shop's own order number")

    def order(self) -> Order:
        """Raises InvalidRequest unless it is exactly one."""
        _exactly_one(quantity=self.quantity, seats=self.seats, holdToken=self.hold_token)
        quantity = self.quantity or len(self.seats)
        return Order(quantity, self.together, self.reference, tuple(self.seats), self.hold_token or None)


def _exactly_one(**fields: object) -> None:
    given = [name for name, value in fields.items() if value]
    if not given:
        raise InvalidRequest("Quantity is required", "quantity")
    if len(given) > 1:
        raise InvalidRequest(f"Give only one of {' and '.join(given)}", given[1])
