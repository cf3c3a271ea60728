"""Which part of a purchase a request to cancel means."""

from collections.abc import Sequence

from seating.domain.cancellation import ALL, Part
from seating.domain.errors import InvalidRequest, SeatNotFound
from seating.domain.purchase import Purchase
from seating.domain.seating_plan import SeatRange, places


def part_of(purchase: Purchase, seats: str, quantity: int | None) -> Part:
    """Return what is to be cancelled: given seats, so many places in all, or everything.

    Raises SeatNotFound, InvalidRequest.
    """
    if seats and quantity is not None:
        raise InvalidRequest("Give only one of seats and quantity", "quantity")
    if seats:
        own = dict(zip(purchase.seats, _singles(purchase.runs), strict=True)) if purchase.seats else {}
        # The longest first: an id may have commas, so one may be the beginning of another.
        named = dict.fromkeys(_listed(seats, sorted(own, key=len, reverse=True)))
        return Part(runs=[own[seat] for seat in named])
    if quantity is None:
        return ALL
    if purchase.seats:
        raise InvalidRequest("Quantity is for general admission: name the seats to cancel", "quantity")
    if quantity > purchase.quantity:
        raise InvalidRequest(f"Quantity cannot exceed the {purchase.quantity} places of this purchase", "quantity")
    return Part(quantity)


def _singles(runs: Sequence[SeatRange]) -> list[SeatRange]:
    return [SeatRange(*place, 1) for place in places(runs)]


def _listed(text: str, own: Sequence[str]) -> list[str]:
    """The ids of seats in `text`, with commas between them; an id may have commas too. `own` are the longest first."""
    found: list[str] = []
    rest = text
    while rest:
        seat = next((seat for seat in own if rest == seat or rest.startswith(f"{seat},")), None)
        if seat is None:
            raise SeatNotFound(seats=[rest.partition(",")[0]])
        found.append(seat)
        rest = rest[len(seat) + 1 :]
    return found
