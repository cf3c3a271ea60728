"""The bodies of requests and answers about choosing, holding and setting seats, as the OpenAPI document shows them."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, RootModel

from seating.domain.errors import InvalidRequest
from seating.domain.hold import HoldOrder
from seating.domain.purchase import MAX_QUANTITY, Order
from seating.domain.seat_status import SETTABLE
from seating.web.parsing import StrictModel
from seating.web.schemas import Answer, EventPath, Line


def _each_once(seats: list[str]) -> list[str]:
    if len(set(seats)) < len(seats):
        raise ValueError("has a seat twice")
    return seats


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default")


def _one_of_the_words(schema: dict[str, Any]) -> None:
    _without_default(schema)
    schema["enum"] = [*SETTABLE]


# What is not given has a default that cannot be given, so that null is refused like any other wrong value.
_ABSENT: Final[Any] = {"validate_default": False, "json_schema_extra": _without_default}

Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY, description="seats, all or none", **_ABSENT)]
ChosenSeats = Annotated[
    list[Annotated[Line, Field(min_length=1, max_length=255)]],
    Field(min_length=1, max_length=MAX_QUANTITY, description="ids of seats, all or none"),
    AfterValidator(_each_once),
]


class NewHold(StrictModel):
    """Exactly one of `quantity` and `seats`."""

    quantity: Quantity = 0
    seats: ChosenSeats = Field(default_factory=list)
    together: bool = Field(False, description="refuse a split of a quantity over several rows")

    def order(self) -> HoldOrder:
        """Raises InvalidRequest unless it is exactly one."""
        _exactly_one(quantity=self.quantity, seats=self.seats)
        return HoldOrder(self.quantity or len(self.seats), tuple(self.seats), self.together)


class EventPurchase(StrictModel):
    """Exactly one of `quantity`, `seats` and `holdToken`."""

    quantity: Quantity = 0
    seats: ChosenSeats = Field(default_factory=list)
    hold_token: str = Field("", min_length=1, max_length=255, alias="holdToken", description="of a hold", **_ABSENT)
    together: bool = Field(False, description="refuse a split of a quantity over several rows")
    reference: Annotated[Line, Field(min_length=1, max_length=64)] | None = Field(
        None, description="the shop's own order number"
    )

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


class HoldPath(EventPath):
    token: str = Field(description="the hold's token")


class HoldHeaders(BaseModel):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        description="optional: 1 to 255 visible ASCII characters, best a UUID; whoever knows it can learn the token",
    )


class HoldAnswer(Answer):
    hold_token: str = Field(description="a secret: whoever knows it may buy the seats")
    quantity: int
    seats: list[str] = Field(description="seat ids, none in general admission")
    expires_at: str = Field(description="RFC 3339, UTC: the seats are kept until then")
    position: str = Field(description="`<epoch>-<seq>` in the event's log")


class SeatPath(BaseModel):
    seat_id: str = Field(description="the seat's id")


class SeatSetting(StrictModel):
    status: Any = Field(None, json_schema_extra=_one_of_the_words, description="what the seat shall be")


class SeatView(Answer):
    id: str
    status: Literal["available", "reserved", "sold", "held"]


class SeatList(RootModel[list[SeatView]]):
    """In the plan's order."""


class SeatUpdated(Answer):
    message: Literal["Seat updated"] = "Seat updated"
    seat: SeatView
