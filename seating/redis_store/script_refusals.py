"""What the scripts that sell and hold reply when they do not, as errors."""

from collections.abc import Sequence
from typing import Any, Final

from seating.domain.errors import (
    BacklogFull,
    HoldExpired,
    IdempotencyKeyReused,
    NotOnSale,
    NotTogether,
    SeatHeld,
    SeatingError,
    SeatSold,
    SeatUnavailable,
    SoldOut,
    TooManyHeld,
)
from seating.domain.seating_plan import Run

_ACCEPTED: Final = frozenset({b"SOLD", b"HELD", b"REPLAYED", b"EXTENDED", b"RELEASED", b"SET"})


class RunsUnavailable(SeatUnavailable):
    """`runs` are those of the seats asked for that cannot be had."""

    def __init__(self, runs: list[Run]) -> None:
        super().__init__()
        self.runs = runs


def accepted(reply: Sequence[Any]) -> Sequence[Any]:
    """The reply, if it is not a refusal. Otherwise raises what it says.

    SoldOut, NotTogether, RunsUnavailable, NotOnSale, IdempotencyKeyReused, BacklogFull, HoldExpired, TooManyHeld,
    SeatSold or SeatHeld.
    """
    if reply[0] in _ACCEPTED:
        return reply
    raise _refusal(reply[0], reply[1] if len(reply) > 1 else None)


def _refusal(outcome: bytes, detail: Any) -> SeatingError:
    match outcome:
        case b"SOLD_OUT":
            return SoldOut(seatsRemaining=detail)
        case b"NOT_TOGETHER":
            return NotTogether(seatsRemaining=detail)
        case b"SEAT_UNAVAILABLE":
            return RunsUnavailable(Run.parse_all(detail.decode()))
        case b"NOT_ON_SALE":
            return NotOnSale(state=detail.decode())
        case b"TOO_MANY_HELD":
            return TooManyHeld(seatsHeld=detail)
    plain: dict[bytes, type[SeatingError]] = {
        b"REUSED": IdempotencyKeyReused,
        b"BACKLOG_FULL": BacklogFull,
        b"HOLD_EXPIRED": HoldExpired,
        b"SEAT_SOLD": SeatSold,
        b"SEAT_HELD": SeatHeld,
    }
    return plain[outcome]()
